"""Keeps the names, roles and digests of those who may come in, in a file that is its owner's alone."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ops.foundation.private_files import private

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

#: What `stat` says of a file: its inode, the nanosecond of its last change, and its size.
Seen = tuple[int, int, int]


class RecordsUnreadable(Exception):
    """The file cannot be read, so that nobody who is in it is let in. The text says why."""


class RecordFile(Generic[Record]):
    """Reads and writes a list of records. API processes and the command line share the file.

    A process sees a change with the next read: it compares what `stat` says of the file. The file is
    replaced as a whole, so that no reader finds half of it.

    Parameters:
      path: the file; created with the first record.
      name: of the list, in the file and in errors, such as `tokens`.
      parse: makes a record of its fields; raises ValueError, TypeError or KeyError if they make none.
    """

    def __init__(self, path: Path, name: str, parse: Callable[[Mapping[str, Any]], Record]) -> None:
        self._path = path
        self._name = name
        self._parse = parse
        # Both at once: with one after the other, two threads could keep an old list beside a new state.
        self._last: tuple[Seen | None, Sequence[Record]] = (None, ())

    def read(self) -> Sequence[Record]:
        """Return every record, in the order in which they were made.

        Raises:
          RecordsUnreadable: the file is there, and it cannot be read.
        """
        try:
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            known, records = self._last
            if seen != known:
                fields = json.loads(self._path.read_text())[self._name]
                records = [self._parse(each) for each in fields]
                self._last = (seen, records)
        except FileNotFoundError:
            self._last = (None, ())
            return ()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RecordsUnreadable(
                f"The {self._name} in {self._path} cannot be read: {error}. Repair the file, or delete it "
                f"and make the {self._name} anew."
            ) from error
        return records

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process change the file meanwhile. The directory is locked: the file is replaced."""
        directory = os.open(self._path.absolute().parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
            os.fsync(directory)
        finally:
            os.close(directory)

    def write(self, records: Sequence[Record]) -> None:
        """Replace the file. The caller holds `locked`.

        Raises:
          OSError: it cannot be written, and is as it was.
        """
        new = self._path.with_name(f"{self._path.name}.new")
        new.unlink(missing_ok=True)  # of a process that died: its mode may be anything
        with open(new, "w", opener=private) as file:
            json.dump({self._name: [asdict(each) for each in records]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
