"""What the supervisor tells a child through its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

_SUPERVISOR, _SLOT = "RECADO_SUPERVISOR", "RECADO_SLOT"
_HEARTBEAT_FD, _LISTEN_FD = "RECADO_HEARTBEAT_FD", "RECADO_LISTEN_FD"
_ANOTHER_SERVES = "RECADO_ANOTHER_SERVES"

#: What the service manager told the supervisor, and is nobody else's.
_OURS_ALONE = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")


#: In place of a file descriptor.
NONE = -1


@dataclass(frozen=True, slots=True)
class Supervised:
    """A child's place.

    Attributes:
      supervisor: the supervisor's process id.
      slot: the child's name, which is stable over restarts, and never that of two living processes.
      heartbeat_fd: where its heartbeats go; NONE for a helper, which sends none.
      listen_fd: the listening socket; NONE for who does not listen.
      another_serves: a child of the same kind accepts work while this one starts.
    """

    supervisor: int
    slot: str
    heartbeat_fd: int = NONE
    listen_fd: int = NONE
    another_serves: bool = False

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment that says so, on top of `base`."""
        told = {
            _SUPERVISOR: str(self.supervisor),
            _SLOT: self.slot,
            _HEARTBEAT_FD: str(self.heartbeat_fd),
            _LISTEN_FD: str(self.listen_fd),
            _ANOTHER_SERVES: str(int(self.another_serves)),
        }
        return {name: value for name, value in base.items() if name not in _OURS_ALONE} | told

    @classmethod
    def from_environment(cls) -> Supervised:
        """This process's place."""
        return cls(
            supervisor=int(os.environ[_SUPERVISOR]),
            slot=os.environ[_SLOT],
            heartbeat_fd=int(os.environ[_HEARTBEAT_FD]),
            listen_fd=int(os.environ[_LISTEN_FD]),
            another_serves=os.environ.get(_ANOTHER_SERVES)
            == "1",  # a supervisor of before the upgrade says nothing
        )
