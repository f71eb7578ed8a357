"""Plays a customer in development: a phone, the network between it and Recado, and workers to be killed."""
