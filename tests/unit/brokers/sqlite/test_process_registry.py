"""ProcessEntry files: proof of life, and what the dead were running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from brokers.sqlite.liveness.process_registry import Peer, ProcessEntry, peers
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


def test_a_living_process_is_not_dead(peer: Peer) -> None:
    assert not peer.is_dead()
    assert peer.is_waiting()


def test_a_stopped_process_is_not_dead(neighbour: Process, peer: Peer) -> None:
    neighbour.stop()
    assert not peer.is_dead()


def test_the_dead_leave_word_of_what_they_ran(neighbour: Process, peer: Peer) -> None:
    neighbour.kill()
    assert peer.is_dead()
    assert sorted(peer.running()) == [7, 9]


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
