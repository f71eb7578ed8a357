"""Decides what the free space of the disk allows.

To finish a message takes space too: the write-ahead log has to take the change before the row is gone. So
new messages are refused while there is still space to finish the stored ones, and the log takes only a
share of the free space.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ...errors import EngineError

#: How much is kept free of new messages: so many bytes, or on a small disk one part in so many.
RESERVE_BYTES = 16_000_000
RESERVE_DIVISOR = 8

#: How many reserves have to be free for an answer of the file system to be used again, because to ask lets go
#: of the GIL. And for how long it is used then, in seconds: for each reserve that is free, and at most.
PLENTY_RESERVES = 8
CACHE_S_PER_RESERVE = 0.1 / PLENTY_RESERVES
LONGEST_CACHE_S = 1.0


class DiskSpace:
    """Knows how much space of a disk is free. Threads may share it.

    Parameters:
      directory: on the disk in question; need not exist yet.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._free_bytes = self._reserve_bytes = 0
        self._ask_again_at = 0.0

    def free_bytes(self) -> int:
        """Return how many bytes are free now, or were a moment ago.

        Raises:
          OSError: the directory cannot be read.
        """
        now = time.monotonic()
        if now >= self._ask_again_at:
            disk = os.statvfs(self._directory)
            self._free_bytes = disk.f_bavail * disk.f_frsize
            self._reserve_bytes = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // RESERVE_DIVISOR)
            if self._free_bytes > PLENTY_RESERVES * self._reserve_bytes:
                reserves = self._free_bytes / max(1, self._reserve_bytes)
                self._ask_again_at = now + min(CACHE_S_PER_RESERVE * reserves, LONGEST_CACHE_S)
        return self._free_bytes

    def is_short(self, *, share: float = 1.0) -> bool:
        """Return whether the free space is to be kept for the stored messages.

        Parameters:
          share: how many reserves are kept.

        Raises:
          OSError: the directory cannot be read.
        """
        return self.free_bytes() < self._reserve_bytes * share

    def refuse_if_short(self, *, share: float = 1.0) -> None:
        """Raise if what the caller wants to store would take the space that the stored messages need.

        Parameters:
          share: how many reserves are kept: less than one for messages to which the stored messages lead.

        Raises:
          EngineError: with how much is free, and how much has to be.
        """
        try:
            is_short = self.is_short(share=share)
        except OSError:
            return  # the database raises an error of its own for what is wrong there
        if is_short:
            raise EngineError(
                f"The disk of {self._directory} is full but for {self._free_bytes:,} bytes. The last "
                f"{int(self._reserve_bytes * share):,} are kept for what is stored already. Make room."
            )
