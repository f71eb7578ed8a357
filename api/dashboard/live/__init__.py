"""Samples the state of the queues, and pushes it to open pages."""
