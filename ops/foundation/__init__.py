"""The ground floor of `ops`: settings, logs, metrics, tracing, and what else every process is set up with.

It is the only part of `ops` that `actors` and `api` import.
"""
