"""What a load needs."""

from __future__ import annotations

import re

import pytest

from ops.planning import plan
from tests.unit.docs.documents import ROOT


def test_a_small_shop_needs_two_workers_on_one_machine() -> None:
    needed = plan(100, 5, peak=3, calls_per_worker=500)

    assert (needed.workers, needed.cores, needed.machines, needed.engine) == (2, 1, 1, "SQLite, or Redis")


def test_a_slow_model_needs_more_calls_and_then_more_workers() -> None:
    quick, slow = (plan(100_000, model_s, peak=3, calls_per_worker=500) for model_s in (1, 60))

    assert quick.cores == slow.cores
    assert (quick.calls_in_flight, slow.calls_in_flight) == (84, 5_000)
    assert (quick.workers, slow.workers) == (2, 10)
    assert slow.memory_mb > quick.memory_mb


def test_beyond_one_machine_it_is_redis() -> None:
    needed = plan(5_000_000, 5, peak=3, calls_per_worker=500)

    assert needed.machines > 1
    assert needed.engine == "Redis"


@pytest.mark.parametrize("messages_per_hour", [1_000, 10_000, 100_000, 420_000])
def test_the_page_has_these_figures(messages_per_hour: int) -> None:
    needed = plan(messages_per_hour, 5, peak=3, calls_per_worker=500)
    page = (ROOT / "docs/scaling.md").read_text()
    row = re.search(rf"^\| {messages_per_hour:,}[^|]*\|(.*)\|$", page, re.MULTILINE)

    assert row is not None
    assert [cell.strip() for cell in row[1].split("|")] == [
        f"{needed.messages_per_second:g}",
        f"{needed.calls_in_flight:,}",
        str(needed.workers),
        str(needed.cores),
        f"{needed.memory_mb} MB",
    ]
