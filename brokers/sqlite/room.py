"""What the free space on the disk allows.

To settle a message takes space too: the log has to take the change before the row is gone. So what comes in
is refused while there is still room for what is to be done, and a log takes only a share of what is free.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..errors import EngineError

#: How much is kept free of new messages: this, in bytes, or a share of a small disk.
RESERVE_BYTES = 16_000_000
RESERVE_SHARE = 8

#: How long an answer of the file system is good for, in seconds, since to ask lets go of the GIL; and from
#: how many reserves on. With less it is asked each time.
LOOK_EVERY_S = 0.1
PLENTY = 8


class Room:
    """Knows how much space is free. Threads may share it.

    Parameters:
      directory: on the disk in question. It need not exist yet.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._free = self._reserve = 0
        self._next_look_at = 0.0

    def free_bytes(self) -> int:
        """How much is free now, or was a moment ago.

        Raises:
          OSError: the directory cannot be looked at.
        """
        now = time.monotonic()
        if now >= self._next_look_at:
            disk = os.statvfs(self._directory)
            self._free = disk.f_bavail * disk.f_frsize
            self._reserve = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // RESERVE_SHARE)
            if self._free > PLENTY * self._reserve:
                self._next_look_at = now + LOOK_EVERY_S
        return self._free

    def is_short(self, *, share: float = 1.0) -> bool:
        """Whether what is free is to be kept for what is in the queue already.

        Parameters:
          share: which share of the reserve is kept.
        """
        return self.free_bytes() < self._reserve * share

    def refuse_if_short(self, *, share: float = 1.0) -> None:
        """Raise if what is to be stored would take what the messages need that are in the queue.

        Parameters:
          share: which share of the reserve is kept: less by what has to be stored for these messages.

        Raises:
          EngineError: with how much is free, and how much has to be.
        """
        try:
            is_short = self.is_short(share=share)
        except OSError:
            return  # what is wrong there the database will tell
        if is_short:
            raise EngineError(
                f"The disk of {self._directory} is full but for {self._free:,} bytes. The last "
                f"{int(self._reserve * share):,} are kept for what is stored already. Make room."
            )
