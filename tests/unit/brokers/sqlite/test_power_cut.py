"""What a power cut leaves: nothing but what was synced, and everything that anybody was told is stored."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from brokers.backend import QueueBackend
from brokers.errors import EngineError
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.enqueue import Enqueue
from brokers.sqlite.storage import open_backoff
from tests.support.engines import SQLiteEngine
from tests.support.messages import QUEUE, a_message
from tests.support.remote import Remote

pytestmark = pytest.mark.starts_processes


#: SQLite's own way to files, which the disk below stands in front of.
BASE = apsw.vfs_names()[0]
fdatasync, pwrite = os.fdatasync, os.pwrite


class Disk:
    """Keeps of each file what was written before its last sync.

    A sync that fails takes with it what it should have written: the next one succeeds without that.
    """

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._dirty: dict[str, list[tuple[bytes | None, int]]] = {}
        self._lock = threading.Lock()
        self.failures = 0

    def write(self, path: str, data: bytes, offset: int) -> None:
        with self._lock:
            self._dirty.setdefault(path, []).append((data, offset))

    def truncate(self, path: str, size: int) -> None:
        with self._lock:
            self._dirty.setdefault(path, []).append((None, size))

    def delete(self, path: str) -> None:
        with self._lock:
            self._files.pop(path, None)
            self._dirty.pop(path, None)

    def sync(self, path: str) -> None:
        with self._lock:
            dirty = self._dirty.pop(path, [])
            if self.failures and path.endswith("-wal"):
                self.failures -= 1
                raise OSError("Input/output error")
            content = self._files.setdefault(path, bytearray())
            for data, offset in dirty:
                if data is None:
                    del content[offset:]
                    continue
                content.extend(bytes(max(0, offset + len(data) - len(content))))
                content[offset : offset + len(data)] = data

    def cut_power(self, left: Path) -> None:
        with self._lock:
            left.mkdir()
            for path, content in self._files.items():
                (left / Path(path).name).write_bytes(content)


_disk = Disk()
_vfs: list[apsw.VFS] = []


class File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int]) -> None:
        super().__init__(BASE, name, flags)
        self._path = name if isinstance(name, str) else name.filename()

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        _disk.write(self._path, bytes(data), offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        super().xTruncate(size)
        _disk.truncate(self._path, size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        try:
            _disk.sync(self._path)
        except OSError as error:
            raise apsw.IOError(str(error)) from error
        super().xSync(flags)


class Files(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("disk", BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return File(name, flags)

    def xDelete(self, path: str, sync_directory: bool) -> None:  # noqa: N802
        super().xDelete(path, sync_directory)
        _disk.delete(path)


def sync_by_descriptor(fd: Any) -> None:
    _disk.sync(str(Path(f"/proc/self/fd/{fd}").readlink()))
    fdatasync(fd)


def write_by_descriptor(fd: int, data: Any, offset: int) -> int:
    _disk.write(str(Path(f"/proc/self/fd/{fd}").readlink()), bytes(data), offset)
    return pwrite(fd, data, offset)


def put_in_place(_: QueueBackend) -> None:
    _vfs.append(Files())
    open_backoff.LONGEST_S = 0.0  # what is refused in a pause meets no failing disk
    os.fdatasync = sync_by_descriptor
    os.pwrite = write_by_descriptor


def cut_power(left: Path, _: QueueBackend) -> None:
    _disk.cut_power(left)


def store(backend: QueueBackend, count: int = 1) -> list[str]:
    """The ids of those that were told to be stored."""
    messages = [a_message() for _ in range(count)]
    stored = []
    for message in messages:
        with suppress(EngineError):
            backend.enqueue(message)
            stored.append(message.message_id)
    return stored


def one_by_one(backend: QueueBackend) -> list[str]:
    return store(backend, 5)


def many_at_once(backend: QueueBackend) -> list[str]:
    with ThreadPoolExecutor(max_workers=20) as pool:
        return [stored for each in pool.map(store, [backend] * 100) for stored in each]


def while_syncs_fail(backend: QueueBackend) -> list[str]:
    stored = []
    for failures in range(1, 6):
        _disk.failures = failures
        stored += store(backend, 8)
    return stored


def many_at_once_while_syncs_fail(backend: QueueBackend) -> list[str]:
    stored = []
    for failures in range(1, 6):
        _disk.failures = failures
        stored += many_at_once(backend)
    return stored


def again_after_a_failure(backend: QueueBackend) -> list[str]:
    """Whoever was told of a failure sends the message once more."""
    message = a_message()
    _disk.failures = 4
    for _ in range(5):
        with suppress(EngineError):
            backend.enqueue(message)
    backend.enqueue(message)
    return [message.message_id]


def together_behind_what_was_not_synced(backend: SQLiteBackend) -> list[str]:
    """What was not synced on purpose is lost with what was to be synced."""
    stored = store(backend)
    backend.release(backend.dequeue(QUEUE, limit=1, timeout_s=0))
    _disk.failures = 1
    messages = [a_message() for _ in range(2)]
    arrivals = [Enqueue(message, backend._message_writer) for message in messages]
    backend.database._open().transactions.commit(list(arrivals))
    return stored + [m.message_id for m, arrival in zip(messages, arrivals, strict=True) if not arrival.error]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Remote]:
    """A process whose files lie on that disk."""
    with Remote(SQLiteEngine(tmp_path)) as child:
        child.run(put_in_place)
        yield child


@pytest.mark.parametrize(
    "scenario",
    [
        one_by_one,
        many_at_once,
        while_syncs_fail,
        many_at_once_while_syncs_fail,
        again_after_a_failure,
        together_behind_what_was_not_synced,
    ],
)
def test_it_takes_nothing_that_was_told_to_be_stored(
    tmp_path: Path, child: Remote, scenario: Callable[[QueueBackend], list[str]]
) -> None:
    stored = child.run(scenario)
    child.run(partial(cut_power, tmp_path / "left"))
    with closing(SQLiteBackend(tmp_path / "left" / "queue.db")) as restored:
        assert [restored.get(message_id) is not None for message_id in stored] == [True] * len(stored)
    assert stored
