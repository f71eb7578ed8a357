"""The clock of a program that is no Python, such as a Redis server: it can be set while the program runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

#: Does it: Debian has it in its package faketime.
LIBFAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

can_be_set = pytest.mark.skipif(
    LIBFAKETIME is None, reason="no clock can be set: `apt-get install faketime` brings what can"
)


class ServerClock:
    """A wall clock that shows the right time until it is set.

    The monotonic clock, which says how long something takes, goes on as before, as it does when a machine's
    clock is set.

    Parameters:
      file: where it is kept.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables of a process that goes by it; none where that cannot be."""
        if LIBFAKETIME is None:
            return {}
        return {
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "LD_PRELOAD": str(LIBFAKETIME),
        }

    def set(self, off_s: int) -> None:
        """Have it show so many seconds more than it is."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{off_s:+}")
        new.rename(self._file)
