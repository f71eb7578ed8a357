"""The rules of the supervisor, as plain functions of what was seen.

Nothing here knows a process or reads a clock: the caller passes the time, the memory and the heartbeat.
"""
