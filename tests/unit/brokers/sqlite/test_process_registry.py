"""ProcessEntry files: proof of life, and what the dead were running."""

from __future__ import annotations

import mmap
import resource
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from brokers.sqlite.liveness.process_registry import SLOTS, Peer, ProcessEntry, peers
from tests.support.processes import Process


def live(channel: Connection, directory: Path) -> None:
    """A process that waits for work, runs messages 7 and 9, and is done with 8."""
    entry = ProcessEntry(directory)
    entry.add_waiting(1)
    for key in (7, 8, 9):
        entry.started((key, 1), now_ms=1)
    entry.finished((8, 1))
    channel.send(entry.owner)
    channel.recv()


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Process]:
    with Process(live, tmp_path) as neighbour:
        yield neighbour


@pytest.fixture
def peer(neighbour: Process, tmp_path: Path) -> Iterator[Peer]:
    owner = neighbour.receive()
    [peer] = peers(tmp_path, None)
    assert peer.owner == owner
    with closing(peer):
        yield peer


@pytest.mark.starts_processes
def test_a_living_process_is_not_dead(peer: Peer) -> None:
    assert not peer.is_dead()
    assert peer.is_waiting()


@pytest.mark.starts_processes
def test_a_stopped_process_is_not_dead(neighbour: Process, peer: Peer) -> None:
    neighbour.stop()
    assert not peer.is_dead()


@pytest.mark.starts_processes
def test_the_dead_leave_word_of_what_they_ran(neighbour: Process, peer: Peer) -> None:
    neighbour.kill()
    assert peer.is_dead()
    assert sorted(peer.running()) == [7, 9]


@pytest.mark.starts_processes
def test_one_of_many_finds_the_dead(neighbour: Process, peer: Peer) -> None:
    neighbour.kill()
    assert peer.is_dead()
    with closing(Peer(peer.path)) as another:
        assert not another.is_dead(), "somebody is at it already"


def test_who_leaves_takes_the_file_along(tmp_path: Path) -> None:
    entry = ProcessEntry(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    entry.close()
    assert list(tmp_path.iterdir()) == []


def test_one_does_not_see_oneself(tmp_path: Path) -> None:
    with closing(ProcessEntry(tmp_path)) as entry:
        assert list(peers(tmp_path, entry.owner)) == []


def test_it_waits_as_long_as_any_of_its_consumers_does(tmp_path: Path) -> None:
    with closing(ProcessEntry(tmp_path)) as entry, closing(Peer(entry.path)) as seen:
        entry.add_waiting(1)
        entry.add_waiting(1)
        entry.add_waiting(-1)
        assert seen.is_waiting()
        entry.add_waiting(-1)
        assert not seen.is_waiting()


def test_finishing_what_never_started_is_harmless(tmp_path: Path) -> None:
    with closing(ProcessEntry(tmp_path)) as entry, closing(Peer(entry.path)) as seen:
        entry.started((1, 1), now_ms=1)
        entry.finished((2, 1))
        assert seen.running() == [1]


def test_a_message_that_begins_again_before_it_has_ended_is_still_run(tmp_path: Path) -> None:
    """It was put back, and claimed once more, before the thread that had it came to say that it is done."""
    with closing(ProcessEntry(tmp_path)) as entry, closing(Peer(entry.path)) as seen:
        entry.started((1, 1), now_ms=1)
        entry.started((1, 2), now_ms=2)
        entry.finished((1, 1))
        assert seen.running() == [1]
        entry.finished((1, 2))
        assert seen.running() == []


def test_a_full_disk_cannot_kill_through_the_mapping(tmp_path: Path) -> None:
    """Writing to a hole of a mapped file when no block is left for it is a SIGBUS."""
    with closing(ProcessEntry(tmp_path)) as entry:
        stat = entry.path.stat()
        assert stat.st_blocks * 512 >= stat.st_size


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "not-ours.lock").write_bytes(b"\0" * 100_000)
    assert list(peers(tmp_path, None)) == []


class TestManyRunning:
    """More messages run in one process than a file has slots at first."""

    COUNT = 2 * SLOTS + 100

    def test_the_file_grows(self, tmp_path: Path) -> None:
        with closing(ProcessEntry(tmp_path)) as entry, closing(Peer(entry.path)) as seen:
            for key in range(1, self.COUNT + 1):
                entry.started((key, 1), now_ms=1)
            assert sorted(seen.running()) == list(range(1, self.COUNT + 1))
            for key in range(1, self.COUNT + 1, 2):
                entry.finished((key, 1))
            assert sorted(seen.running()) == list(range(2, self.COUNT + 1, 2))
            stat = entry.path.stat()
            assert stat.st_blocks * 512 >= stat.st_size, "it has a hole"
            for key in range(1, self.COUNT + 1, 2):
                entry.started((key, 2), now_ms=2)
            assert entry.path.stat().st_size == stat.st_size, "free slots are used again"

    def test_many_threads_make_it_grow_together(self, tmp_path: Path) -> None:
        with closing(ProcessEntry(tmp_path)) as entry, closing(Peer(entry.path)) as seen:
            with ThreadPoolExecutor(max_workers=16) as pool:
                for key in range(1, self.COUNT + 1):
                    pool.submit(entry.started, (key, 1), now_ms=1)
            assert sorted(seen.running()) == list(range(1, self.COUNT + 1))

    def test_a_process_of_an_older_recado_reads_the_first_ones(self, tmp_path: Path) -> None:
        """It maps the length that a file had then, and takes the beginning for the whole."""
        with closing(ProcessEntry(tmp_path)) as entry:
            for key in range(1, self.COUNT + 1):
                entry.started((key, 1), now_ms=1)
            length = 64 + 1024 * 16
            with entry.path.open("r+b") as file, closing(mmap.mmap(file.fileno(), length)) as memory:
                slots = struct.iter_unpack("<qq", memory[64:])
                assert sorted(key for key, _ in slots) == list(range(1, 1025))

    def test_without_room_to_grow_a_message_still_runs(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with closing(ProcessEntry(tmp_path)) as entry, closing(Peer(entry.path)) as seen:
            for key in range(1, SLOTS + 1):
                entry.started((key, 1), now_ms=1)
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (entry.path.stat().st_size, hard))
            try:
                entry.started((SLOTS + 1, 1), now_ms=1)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert "not be counted" in caplog.text
            entry.finished((SLOTS + 1, 1))
            assert sorted(seen.running()) == list(range(1, SLOTS + 1))
