"""The judge finds what is wrong: each fault is built in from outside, and it has to say so.

A judge that never finds anything would prove nothing. `make chaos` runs it against Recado as it is.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.judge.outages import Outage, damaged, is_good, overwrite, suffer
from tests.judge.storm import Storm, rage

#: Where the faults are.
FAULTS = Path(__file__).parent / "faults"

#: A light storm: enough blows, and faults outside, for a fault of Recado's to come out.
LIGHT = Storm(blows=8, every_s=0.8, settle_s=120, part=0.6, fault_rate=0.15, grace_s=4)


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings that build a fault in."""
    root = Path(__file__).parents[2]
    return {"JUDGE_FAULT": request.param, "PYTHONPATH": f"{FAULTS}:{root}"}


#: A seed whose first blows hit the API and the supervisor too, and one whose blows hit workers only.
EVERYTHING, WORKERS = 1, 7


@pytest.mark.parametrize(
    ("fault", "seed", "what"),
    [
        ("answers_before_storing", EVERYTHING, "lost"),
        ("swallows_an_error", WORKERS, "lost"),
        ("hides_failures", WORKERS, "lost"),
        ("sends_again_without_looking", WORKERS, "doubled"),
        ("forgets_what_people_write", WORKERS, "untold"),
        ("forgets_deliveries", WORKERS, "stale"),
    ],
    indirect=["fault"],
)
def test_a_fault_is_found(fault: dict[str, str], seed: int, what: str, tmp_path: Path) -> None:
    outcome = asyncio.run(rage("sqlite", LIGHT, seed, tmp_path / "trial", fault))
    assert getattr(outcome.verdict, what)
    assert not outcome.verdict.is_good


@pytest.mark.parametrize("fault", ["is_always_ready"], indirect=True)
def test_an_outage_that_is_not_told_is_found(fault: dict[str, str], tmp_path: Path) -> None:
    outage = Outage("overwritten", "sqlite", damaged("conversations.db", overwrite), keeps=False)
    finding = asyncio.run(suffer(outage, 1, tmp_path / "trial", fault))
    assert finding.told_after_s is None
    assert not is_good(outage, finding)
