"""The power fails under a whole installation, in the middle of whatever its files are at.

After each cut all that was promised is there, and each message is answered once, or people are told why not.
`POWER_CUTS=10000` makes so many cuts, which takes a quarter of an hour; `POWER_SEED=8` makes others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.power import Event
from tests.support.processes import Process

from .power.recording import record
from .power.recovery import NOTHING, Finding, recover

CUTS = int(os.environ.get("POWER_CUTS", "120"))
SEED = int(os.environ.get("POWER_SEED", "7"))

#: So many cuts are made in one life of an installation at most, and so many lives there are at least.
CUTS_OF_A_LIFE, FEWEST_LIVES = 100, 3


def lives(directory: Path, count: int) -> Iterator[list[Event]]:
    """What happened in each life. The next one is lived while the caller looks at this one."""
    made = [directory / str(number) for number in range(count)]
    for each in made:
        each.mkdir()
    ahead = Process(record, made[0], SEED)
    for number in range(1, count + 1):
        with ahead:
            events = ahead.receive()
        if number < count:
            ahead = Process(record, made[number], SEED + number)
        yield events


def anywhere(events: Sequence[Event], seed: int, cuts: int) -> list[int]:
    """After how many events the power fails, so many times."""
    dice = random.Random(seed)  # noqa: S311  no secret
    return sorted(dice.randrange(1, len(events) + 1) for _ in range(cuts))


def right_after(events: Sequence[Event], mark: str) -> list[int]:
    """The moments at which a cut hurts most: each right after something that the outside knows of."""
    return [number for number, each in enumerate(events, 1) if each.mark is not None and each.mark[0] == mark]


@pytest.mark.timeout(600 + CUTS)
def test_all_that_was_promised_is_kept_whenever_the_power_fails(tmp_path: Path) -> None:
    count = max(FEWEST_LIVES, CUTS // CUTS_OF_A_LIFE)
    finding = NOTHING
    with Process(recover) as recovering:
        for number, events in enumerate(lives(tmp_path, count)):
            recovering.send((events, SEED + number, anywhere(events, SEED + number, CUTS // count)))
            of_this_life: Finding = recovering.receive()
            finding += of_this_life._replace(
                wrong=tuple(f"seed {SEED + number}: {each}" for each in of_this_life.wrong)
            )
    print(f"seed {SEED}, {count} lives:", finding._replace(wrong=()))
    assert finding.wrong == ()
    assert finding.cuts == CUTS // count * count
    assert finding.promised > finding.cuts
    assert finding.answered > 10 * finding.told, "what is told is the exception"


@pytest.mark.parametrize(
    ("fault", "after", "what"),
    [
        ("syncs_no_message", "promised", "is gone"),
        ("syncs_no_conversation", "accepted", "is answered 2 times"),
    ],
)
def test_it_finds_what_is_not_synced(tmp_path: Path, fault: str, after: str, what: str) -> None:
    with Process(record, tmp_path, SEED, fault) as recording:
        events = recording.receive()
    with Process(recover) as recovering:
        recovering.send((events, SEED, right_after(events, after)))
        finding: Finding = recovering.receive()
    assert any(each.endswith(what) for each in finding.wrong)
