"""`python -m ops.supervisor.child.report_death PID`: tells the queue that a worker process is dead.

This is a process of its own, because the supervisor imports no queue, and must not wait for one.
"""

from __future__ import annotations

import sys

from ..operating_system import die_with_parent
from ..protocol.child_environment import ChildEnvironment


def report_death(pid: int) -> None:
    """Have the queue give back the messages that a dead process held.

    Raises:
      BrokerError: the queue could not. It detects the death by itself, later.
    """
    from actors.services import boot  # noqa: PLC0415  slow: this process is tied to its parent first

    backend = boot().broker.backend
    try:
        backend.report_death(pid)
    finally:
        backend.close()


def main() -> None:
    """Report the death of the process that the command line names."""
    die_with_parent(ChildEnvironment.of_this_process().supervisor_pid)
    report_death(int(sys.argv[1]))


if __name__ == "__main__":
    main()
