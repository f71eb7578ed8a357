"""Exports and erases the replies to a person that the console channel wrote down."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .person import Person
from .place import Erased
from .times import with_times

#: Stands in the place of an erased line. The line keeps its length: other processes append to the file.
_ERASED = json.dumps({"erased": True}).encode()


class OutboxPlace:
    """The console channel's file, one JSON object a line.

    Parameters:
      path: the file; there may be none.
    """

    name = "outbox"

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, person: Person) -> Sequence[Mapping[str, Any]]:
        return [with_times(written) for _, _, written in self._lines_to(person)]

    def erase(self, person: Person) -> Erased:
        lines = list(self._lines_to(person))
        if lines:
            file = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                for offset, length, _ in lines:
                    os.pwrite(file, _ERASED.ljust(length), offset)
                os.fsync(file)
            finally:
                os.close(file)
        return Erased({"replies": len(lines)})

    def _lines_to(self, person: Person) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Yield where each line is that was written to a person, its length in bytes, and what it says."""
        if not self._path.exists():
            return
        offset = 0
        for line in self._path.read_bytes().split(b"\n"):
            written = _read(line)
            if person.has(str(written.get("to", ""))):
                yield offset, len(line), written
            offset += len(line) + 1


def _read(line: bytes) -> dict[str, Any]:
    try:
        written = json.loads(line)
    except ValueError:  # the last line, which is being written
        return {}
    return written if isinstance(written, dict) else {}
