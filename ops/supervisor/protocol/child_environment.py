"""The environment variables through which the supervisor tells a child its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

_SUPERVISOR, _SLOT = "RECADO_SUPERVISOR", "RECADO_SLOT"
_HEARTBEAT_FD, _LISTEN_FD = "RECADO_HEARTBEAT_FD", "RECADO_LISTEN_FD"
_ANOTHER_SERVES = "RECADO_ANOTHER_SERVES"

#: The variables that the service manager sets for the supervisor. No child inherits them.
_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")

#: Stands for a file descriptor that the child does not have.
NO_FD = -1


@dataclass(frozen=True, slots=True)
class ChildEnvironment:
    """Describes a child's place.

    Attributes:
      supervisor_pid: the supervisor's process id.
      slot: the child's name. It stays the same over restarts, and no two living children have the same.
      heartbeat_fd: the pipe for heartbeats; NO_FD for a helper, which sends none.
      listen_fd: the API's listening socket; NO_FD for a child that does not listen.
      another_serves: whether a child of the same kind accepts work while this one starts.
    """

    supervisor_pid: int
    slot: str
    heartbeat_fd: int = NO_FD
    listen_fd: int = NO_FD
    another_serves: bool = False

    def to_variables(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables of the child: those of `base`, and its place."""
        place = {
            _SUPERVISOR: str(self.supervisor_pid),
            _SLOT: self.slot,
            _HEARTBEAT_FD: str(self.heartbeat_fd),
            _LISTEN_FD: str(self.listen_fd),
            _ANOTHER_SERVES: str(int(self.another_serves)),
        }
        return {name: value for name, value in base.items() if name not in _NOT_INHERITED} | place

    @classmethod
    def of_this_process(cls) -> ChildEnvironment:
        """Read the place of this process from its environment variables."""
        return cls(
            supervisor_pid=int(os.environ[_SUPERVISOR]),
            slot=os.environ[_SLOT],
            heartbeat_fd=int(os.environ[_HEARTBEAT_FD]),
            listen_fd=int(os.environ[_LISTEN_FD]),
            # A supervisor of an older version does not set this one.
            another_serves=os.environ.get(_ANOTHER_SERVES) == "1",
        )
