"""The last hour."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from api.dashboard.live.history import SPAN_S, History
from api.dashboard.live.metric_source import NO_TOTALS, MetricTotals, quantile, read_totals
from brokers.records import QueueStats

EVERY_S = 5


def stats(
    done: int | None, *, ready: int = 0, oldest_s: float | None = None, at_s: float = 0
) -> list[QueueStats]:
    due = None if oldest_s is None else int((at_s - oldest_s) * 1000)
    return [QueueStats("messages", ready, 0, 0, 0, done, due, False, counted_at=int(at_s * 1000))]


def test_throughput_is_what_was_done_between_two_looks() -> None:
    history = History(EVERY_S)
    for number, done in enumerate((100, 150, 150, 160)):
        history.add(1_000 + number * EVERY_S, stats(done), {}, NO_TOTALS)

    assert [point.done_per_s for point in history.points()] == [None, 10.0, 0.0, 2.0]
    assert [point.at_s for point in history.points(since_s=1_005)] == [1_010, 1_015]
    assert history.points(since_s=1_010)[0].done_per_s == 2.0


def test_a_queue_that_was_made_meanwhile_was_not_worked_off_at_once() -> None:
    history = History(EVERY_S)
    history.add(0, stats(10), {}, NO_TOTALS)
    history.add(5, [*stats(20), QueueStats("new", 0, 0, 0, 0, 5_000, None, False)], {}, NO_TOTALS)

    assert history.points()[-1].done_per_s == 2.0


def test_what_waits_and_for_how_long() -> None:
    history = History(EVERY_S)
    history.add(1_000, stats(0, ready=7, oldest_s=42, at_s=1_000), {}, NO_TOTALS)

    assert (history.points()[0].waiting, history.points()[0].oldest_s) == (7, 42.0)


def test_an_engine_that_does_not_count_has_no_throughput() -> None:
    history = History(EVERY_S)
    for at in (0, 5):
        history.add(at, stats(None), {}, NO_TOTALS)

    assert history.points()[-1].done_per_s is None
    assert history.stalled_s("messages") == 0.0


def test_since_when_nothing_was_done() -> None:
    history = History(EVERY_S)
    assert history.stalled_s("messages") == 0.0
    for number, done in enumerate((1, 2, 2, 2)):
        history.add(number * EVERY_S, stats(done), {}, NO_TOTALS)

    assert history.stalled_s("messages") == 2 * EVERY_S
    assert history.stalled_s("another") == 0.0


def test_an_hour_is_kept() -> None:
    history = History(EVERY_S)
    for number in range(2_000):
        history.add(number * EVERY_S, stats(number), {}, NO_TOTALS)

    points = history.points()
    assert points[-1].at_s - points[0].at_s == SPAN_S


def test_what_went_up_lately() -> None:
    history = History(EVERY_S)
    assert history.restarts(within_s=60) == {}
    for number in range(5):
        counted: Mapping[str, int] = {"bad_signature": number}
        history.add(number * 60, stats(0), {"worker-1": number}, MetricTotals({}, counted))

    assert history.restarts(within_s=120) == {"worker-1": 2}
    assert history.webhooks(within_s=10_000) == {"bad_signature": 4}


# -- what workers measure --------------------------------------------------------------------------------


def test_measures_are_read_from_a_registry() -> None:
    registry = CollectorRegistry()
    waits = Histogram("recado_message_wait_seconds", "", ["queue"], registry=registry, buckets=(0.1, 1, 10))
    webhooks = Counter("recado_webhooks_total", "", ["webhook", "outcome"], registry=registry)
    for queue, wait_s in (("a", 0.05), ("a", 0.5), ("b", 0.5), ("b", 50)):
        waits.labels(queue).observe(wait_s)
    webhooks.labels("messages", "accepted").inc(3)
    webhooks.labels("status", "accepted").inc()

    found = read_totals(registry)

    assert found.waits == {0.1: 1, 1.0: 3, 10.0: 3, float("inf"): 4}
    assert found.webhooks == {"accepted": 4}
    assert read_totals(None) == NO_TOTALS


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 0.55), (0.25, 0.1), (0.75, 1.0), (0.95, 10.0), (0.0, 0.0)]
)
def test_percentiles_of_what_came_between_two_looks(share: float, expected: float) -> None:
    before = {0.1: 5.0, 1.0: 5.0, 10.0: 5.0, float("inf"): 5.0}
    after = {0.1: 6.0, 1.0: 8.0, 10.0: 8.0, float("inf"): 9.0}

    assert quantile(share, before, after) == pytest.approx(expected)


def test_no_waits_have_no_percentiles() -> None:
    assert quantile(0.5, {1.0: 5.0}, {1.0: 5.0}) is None
    assert quantile(0.5, {}, {}) is None
    assert quantile(0.5, {1.0: 9.0}, {1.0: 2.0}) is None, "the counter began anew"
