"""A disk whose power can be cut: at any moment, and over all of its files at once.

It stands in front of SQLite's way to files, and of ours. It notes what is written, cut off, synced and
deleted, in one order over all files, together with what a test wants to know the order of: a message had its
200, a reply was accepted. From these notes the disk of any moment is made afterwards: with what was synced
until then, and of all else with what a seed decides. A write that was not synced is there, is lost, or is
torn: some of its sectors are there.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import apsw

from brokers.backend import QueueBackend
from brokers.sqlite.storage import open_backoff

#: SQLite's own way to files, which the disk below stands in front of.
BASE = apsw.vfs_names()[0]
fdatasync, fsync, pwrite = os.fdatasync, os.fsync, os.pwrite

#: What a disk writes as a whole, in bytes.
SECTOR_BYTES = 512


class Event(NamedTuple):
    """What happened.

    Attributes:
      kind: `made`, `write`, `truncate`, `delete` and `sync` are of a file, `names` of the directory: its
        names are on disk. `mark` is of the test.
      name: the file's.
      data: what was written.
      at: where it was written; the length that the file was cut to; how many events a sync covers: what is
        written while it goes on may be left out.
      mark: what the test wants to know of.
    """

    kind: Literal["made", "write", "truncate", "delete", "sync", "names", "mark"]
    name: str = ""
    data: bytes = b""
    at: int = 0
    mark: Any = None


class Disk:
    """Notes what is done to files.

    A sync that is to fail takes with it what it should have written: the next one succeeds without that.

    Attributes:
      events: all of them, in order.
      failures: how many of the next syncs of a write-ahead log fail.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failures = 0
        self._failed: list[tuple[str, int, int]] = []  # a file, and between which events its writes are gone
        self._covered: dict[str, int] = {}
        self._lock = threading.Lock()

    def note(self, event: Event) -> None:
        with self._lock:
            self.events.append(event)

    def mark(self, mark: Any) -> None:
        """Note something of a test's own."""
        self.note(Event("mark", mark=mark))

    def begin_sync(self, name: str) -> int:
        """Return how many events the sync covers; raise if it is to fail."""
        with self._lock:
            covers = len(self.events)
            if self.failures and name.endswith("-wal"):
                self.failures -= 1
                self._failed.append((name, self._covered.get(name, 0), covers))
                self._covered[name] = covers
                raise OSError("Input/output error")
            return covers

    def end_sync(self, name: str, covers: int) -> None:
        with self._lock:
            self._covered[name] = covers
            self.events.append(Event("sync", name, at=covers))

    def cut_power(self, left: Path) -> None:
        """Leave what was synced until now, and nothing else."""
        with self._lock:
            moment = Moment()
            for number, event in enumerate(self.events):
                if not (event.kind == "write" and self._is_gone(event.name, number)):
                    moment.pass_by(event)
                else:
                    moment.passed += 1
        moment.cut_power(left, None)

    def _is_gone(self, name: str, number: int) -> bool:
        return any(name == failed and since <= number < until for failed, since, until in self._failed)


class Moment:
    """The disk after some of the events.

    Attributes:
      passed: how many.
      marks: those of the test until then.
    """

    def __init__(self) -> None:
        self.passed = 0
        self.marks: list[Any] = []
        self._synced: dict[str, bytearray] = {}
        self._has_name: set[str] = set()  # whose names the directory has on disk
        self._open: dict[str, list[tuple[int, Event]]] = {}

    def pass_by(self, event: Event) -> None:
        number, self.passed = self.passed, self.passed + 1
        match event.kind:
            case "mark":
                self.marks.append(event.mark)
            case "names":
                for name in [*self._open, *self._synced]:
                    self._sync_names(name)
            case "sync":
                waiting = self._open.pop(event.name, [])
                if any(each.kind == "delete" for _, each in waiting):
                    self._has_name.discard(event.name)  # that of before; the new one is not on disk yet
                content = self._synced.setdefault(event.name, bytearray())
                for since, each in waiting:
                    if since < event.at:
                        apply(each, content)
                    else:
                        self._open.setdefault(event.name, []).append((since, each))
            case _:
                self._open.setdefault(event.name, []).append((number, event))

    def _sync_names(self, name: str) -> None:
        waiting = self._open.get(name, [])
        deleted = max((n for n, (_, each) in enumerate(waiting) if each.kind == "delete"), default=None)
        if deleted is not None:
            self._synced.pop(name, None)
            self._has_name.discard(name)
            del waiting[: deleted + 1]
        if waiting or name in self._synced:
            self._has_name.add(name)

    def cut_power(self, left: Path, dice: random.Random | None) -> None:
        """Make the files that a power cut leaves now.

        Parameters:
          left: the folder for them.
          dice: decide what is left of what was not synced; None for nothing of it, and for all names.
        """
        left.mkdir()
        # Of some cuts nothing that was not synced is left, of some all, and of others a part.
        kept = 0.0 if dice is None else dice.choice((0.0, 1.0, dice.random(), dice.random()))
        torn = 0.0 if dice is None else dice.choice((0.0, dice.random()))
        for name in sorted({*self._synced, *self._open}):
            waiting = [event for _, event in self._open.get(name, [])]
            if dice is not None and name not in self._has_name and dice.random() >= kept:
                continue  # its name was never on disk
            content: bytearray | None = bytearray(self._synced.get(name, b""))
            if name not in self._synced and (dice is None or not waiting):
                continue
            if dice is not None:
                content = _partly(waiting, content, kept=kept, torn=torn, dice=dice)
            if content is not None:
                (left / name).write_bytes(content)


def _partly(
    waiting: Sequence[Event], content: bytearray | None, *, kept: float, torn: float, dice: random.Random
) -> bytearray | None:
    """Do a part of what was not synced; return the file, or None where it is deleted."""
    for event in waiting:
        if event.kind == "delete":
            if dice.random() >= kept:
                return content  # the name leads to the file of before, whatever became of the new one
            content = None
        elif content is None:
            if dice.random() >= kept:
                return None  # the new file has no name on disk
            content = bytearray()
        if content is not None and dice.random() < kept:
            if event.kind == "write" and dice.random() < torn:
                for part in _some_sectors(event, dice):
                    apply(part, content)
            else:
                apply(event, content)
    return content


def _some_sectors(event: Event, dice: random.Random) -> Iterator[Event]:
    begin, end = event.at, event.at + len(event.data)
    while begin < end:
        stop = min(end, (begin // SECTOR_BYTES + 1) * SECTOR_BYTES)
        if dice.random() < 0.5:
            yield event._replace(data=event.data[begin - event.at : stop - event.at], at=begin)
        begin = stop


def apply(event: Event, content: bytearray) -> None:
    """Do to a file's content what was done to it."""
    if event.kind in {"truncate", "delete"}:
        del content[event.at :]
        content.extend(bytes(event.at - len(content)))
    elif event.kind == "write":
        content.extend(bytes(max(0, event.at + len(event.data) - len(content))))
        content[event.at : event.at + len(event.data)] = event.data


#: This process's disk, once it was put in place.
disk = Disk()
_vfs: list[apsw.VFS] = []


class File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int]) -> None:
        path = Path(name if isinstance(name, str) else name.filename())
        # SQLite syncs the directory with the first sync of a log or a journal that it made.
        is_log = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        self._is_nameless = is_log and not path.exists()
        super().__init__(BASE, name, flags)
        self._name = path.name
        if self._is_nameless:
            disk.note(Event("made", self._name))

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        disk.note(Event("write", self._name, bytes(data), offset))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        super().xTruncate(size)
        disk.note(Event("truncate", self._name, at=size))

    def xSync(self, flags: int) -> None:  # noqa: N802
        try:
            covers = disk.begin_sync(self._name)
        except OSError as error:
            raise apsw.IOError(str(error)) from error
        super().xSync(flags)
        disk.end_sync(self._name, covers)
        if self._is_nameless:
            self._is_nameless = False
            disk.note(Event("names"))


class Files(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("disk", BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return File(name, flags)

    def xDelete(self, path: str, sync_directory: bool) -> None:  # noqa: N802
        super().xDelete(path, sync_directory)
        disk.note(Event("delete", Path(path).name))
        if sync_directory:
            disk.note(Event("names"))


def _name_of(fd: Any) -> str:
    return Path(f"/proc/self/fd/{fd}").readlink().name


def sync_by_descriptor(fd: Any) -> None:
    name = _name_of(fd)
    covers = disk.begin_sync(name)
    fdatasync(fd)
    disk.end_sync(name, covers)


def write_by_descriptor(fd: int, data: Any, offset: int) -> int:
    written = pwrite(fd, data, offset)
    disk.note(Event("write", _name_of(fd), bytes(data)[:written], offset))
    return written


def put_in_place(_: QueueBackend | None = None) -> None:
    """Have this process's databases lie on the disk."""
    _vfs.append(Files())
    open_backoff.LONGEST_S = 0.0  # what is refused in a pause meets no failing disk
    os.fdatasync = sync_by_descriptor
    os.pwrite = write_by_descriptor


def cut_power(left: Path, _: QueueBackend) -> None:
    """Leave what was synced."""
    disk.cut_power(left)
