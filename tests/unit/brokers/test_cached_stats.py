"""Counting costs a bounded share of the time, however long it takes."""

from __future__ import annotations

from typing import cast

import pytest

from brokers.backend import QueueBackend
from brokers.cached_stats import CachedStats
from brokers.errors import EngineError
from brokers.records import QueueStats


class Slow:
    """An engine that takes its time to count."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.now = 100.0
        self.asked = 0
        self.is_away = False

    def stats(self) -> list[QueueStats]:
        self.asked += 1
        self.now += self.takes_s
        if self.is_away:
            raise EngineError("away")
        return [QueueStats("q", self.asked, 0, 0, 0, 0, None, False)]


def counts_of(engine: Slow) -> CachedStats:
    return CachedStats(cast(QueueBackend, engine), clock=lambda: engine.now)


def test_a_count_that_took_long_is_used_for_longer() -> None:
    engine = Slow(0.04)
    counts = counts_of(engine)
    first = counts.stats()
    engine.now += 1.9
    assert counts.stats() is first
    engine.now += 0.2
    assert counts.stats()[0].ready == 2


def test_no_count_is_older_than_five_seconds() -> None:
    engine = Slow(10.0)
    counts = counts_of(engine)
    counts.stats()
    engine.now += 5.1
    assert counts.stats()[0].ready == 2


def test_an_engine_that_is_away_is_not_covered_up() -> None:
    engine = Slow(0.04)
    counts = counts_of(engine)
    counts.stats()
    engine.now += 5.1
    engine.is_away = True
    for _ in range(2):
        with pytest.raises(EngineError):
            counts.stats()
    assert engine.asked == 3
