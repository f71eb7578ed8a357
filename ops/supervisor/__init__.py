"""Runs the API and the workers of one machine: starts, watches, restarts, replaces and stops them.

What to do is decided by small policies that know neither processes nor time of their own; `loop` is the one
place that waits for the machine, and `hands` the one that touches it. Nothing here imports the API, the
actors or the brokers: those run in the children.
"""
