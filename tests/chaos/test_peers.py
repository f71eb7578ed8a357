"""The judge finds what a peer loses and doubles, and calls no peer careless that is not.

`make chaos PEERS=1` judges the real ones, which are not all installed here.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path

from tests.judge.peers.contest import Row, contest
from tests.judge.peers.peer import Peer
from tests.judge.peers.scene import Bout
from tests.judge.peers.table import PEERS, show

#: No death at all, for what a peer does by itself.
CALM = Bout(blows=0, every_s=1, part=0.2, afterwards=0.2, thinks_s=(0.01, 0.05), wait_s=4, rest_s=6)

#: One death, while the model thinks for longer than the judge waits before the blow.
KILLED = Bout(blows=1, every_s=1, part=0.3, afterwards=0.03, thinks_s=(4.0, 4.0), wait_s=9, rest_s=3)

#: A seed whose first blow hits a worker, 0.3 s after it is seen at work.
SEED = 3

BACKGROUND_TASKS, REDIS_BROKER = PEERS[:2]


def tried(peer: Peer, bout: Bout, directory: Path) -> Row:
    return asyncio.run(contest(peer.opened, bout, SEED, directory / "trial"))


def test_what_a_peer_loses_and_doubles_is_counted(tmp_path: Path) -> None:
    row = tried(Peer("careless", "tests.chaos.peers.careless:app"), CALM, tmp_path)
    numbers = range(1, row.verdict.promised + 1)
    assert len(numbers) > 5
    assert row.lost == [f"m{number:06d}" for number in numbers if number % 3 == 0]
    assert row.verdict.doubled == [f"m{n:06d}" for n in numbers if n % 5 == 0 and n % 3]
    assert show("careless", row), "a peer's loss must not fail the run"
    assert not show("Recado on SQLite", row), "Recado's must"


def test_what_is_in_hand_at_a_death_is_lost_by_what_stores_nothing(tmp_path: Path) -> None:
    row = tried(BACKGROUND_TASKS, KILLED, tmp_path)
    assert row.blows == 1
    assert row.lost
    assert not row.stuck
    assert row.pauses_s
    assert set(row.pauses_s) == {math.inf}


def test_what_a_store_still_holds_is_stuck_and_not_lost(tmp_path: Path) -> None:
    """A RedisBroker takes a process for dead after 60 s: this judge does not wait for so long."""
    one_process = replace(REDIS_BROKER, worker=(*REDIS_BROKER.worker, "--processes", "1"))
    row = tried(one_process, KILLED, tmp_path)
    assert row.stuck
    assert not row.lost
