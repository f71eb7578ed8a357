"""Decides who may use the dashboard and what a user may do, and records what operators did."""
