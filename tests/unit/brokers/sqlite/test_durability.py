"""I1, seen from the disk: what an enqueue promises is synced, and what may be lost is not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest

from brokers.backend import QueueBackend
from brokers.sqlite.storage.wal_fsync import WalFsync
from tests.support.engines import SQLiteEngine
from tests.support.messages import QUEUE, a_message
from tests.support.remote import Remote

pytestmark = pytest.mark.starts_processes


#: SQLite's own way to files, which the counting one stands in front of.
BASE = apsw.vfs_names()[0]

_syncs: list[str] = []


class CountingFile(apsw.VFSFile):
    """A file that notes when SQLite has it synced."""

    def xSync(self, flags: int) -> None:  # noqa: N802
        _syncs.append("sync")
        super().xSync(flags)


class CountingSync(WalFsync):
    """Ours, in the same way."""

    def finish(self) -> None:
        _syncs.append("sync")
        super().finish()


class CountingVFS(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("counting", BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return CountingFile(BASE, name, flags)


_vfs: list[CountingVFS] = []


def count_syncs(_: QueueBackend) -> None:
    _vfs.append(CountingVFS())
    pytest.MonkeyPatch().setattr("brokers.sqlite.storage.handles.WalFsync", CountingSync)


def syncs_so_far(_: QueueBackend) -> int:
    return len(_syncs)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Remote]:
    """A process of its own, in which all of SQLite's files are counted."""
    with Remote(SQLiteEngine(tmp_path)) as child:
        child.run(count_syncs)
        child.backend.enqueue(a_message(queue="open"))
        child.backend.dequeue("open", limit=1, timeout_s=0)
        yield child


def test_each_enqueue_is_synced(child: Remote) -> None:
    before = child.run(syncs_so_far)
    for count in range(1, 4):
        child.backend.enqueue(a_message())
        assert child.run(syncs_so_far) == before + count


def test_it_is_known_to_be_there_only_when_it_is_on_disk(child: Remote) -> None:
    """Who stored it first may still be waiting for the disk."""
    message = a_message()
    assert child.backend.enqueue(message)
    before = child.run(syncs_so_far)
    assert not child.backend.enqueue(message)
    assert child.run(syncs_so_far) == before + 1


def enqueue_from_threads(backend: QueueBackend) -> None:
    with ThreadPoolExecutor(max_workers=50) as pool:
        assert all(pool.map(backend.enqueue, [a_message() for _ in range(500)]))


def test_enqueues_share_syncs(child: Remote) -> None:
    before = child.run(syncs_so_far)
    child.run(enqueue_from_threads)

    assert 1 <= child.run(syncs_so_far) - before < 250


def test_claims_and_acks_are_not(child: Remote) -> None:
    for _ in range(3):
        child.backend.enqueue(a_message())
    before = child.run(syncs_so_far)
    for delivery in child.backend.dequeue(QUEUE, limit=3, timeout_s=0):
        child.backend.ack(delivery)
    child.backend.sync()

    assert child.run(syncs_so_far) == before


def test_a_check_is_synced(child: Remote) -> None:
    before = child.run(syncs_so_far)
    child.backend.check(timeout_s=30)
    assert child.run(syncs_so_far) > before
