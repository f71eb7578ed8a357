"""`python -m ops.supervisor.obituary PID`: tells the queue that a worker process is dead.

A process of its own, because the supervisor knows no queue, and waits for none.
"""

from __future__ import annotations

import sys

from .deathsig import die_with
from .environment import Supervised


def report(pid: int) -> None:
    """Have the queue give back what the dead process held.

    Raises:
      BrokerError: the queue could not. It finds out by itself, later.
    """
    from actors.services import boot  # noqa: PLC0415  not before this process is tied to its parent

    backend = boot().broker.backend
    try:
        backend.report_death(pid)
    finally:
        backend.close()


if __name__ == "__main__":
    die_with(Supervised.from_environment().supervisor)
    report(int(sys.argv[1]))
