"""The exit codes of `recado up`, `recado api` and `recado worker`. Those of a worker are Dramatiq's own."""

from __future__ import annotations

#: Stopped when told to, and everything ended in time.
OK = 0

#: Something had to be killed, or cannot go on. A worker: killed by a second signal.
FAILED = 1

#: Settings or imports are wrong. Another start fails in the same way until a person changes them.
MISCONFIGURED = 2

#: The queue cannot be opened. Another start may succeed. uvicorn ends with this code as well, when the
#: application did not start.
NO_CONNECTION = 3

#: Another supervisor has the run directory.
ALREADY_RUNNING = 4
