"""Reads from the metrics what charts show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from prometheus_client.metrics_core import Metric

#: How long messages waited, as the workers measure it (brokers/middleware/metrics.py).
_WAITS = "recado_message_wait_seconds"

#: What became of webhooks (api/webhooks.py); prometheus_client calls a counter's family without its _total.
_WEBHOOKS = "recado_webhooks"


class MetricSource(Protocol):
    """Has metrics: a registry, or a collector."""

    def collect(self) -> Iterable[Metric]: ...


class MetricTotals(NamedTuple):
    """Holds what the metrics counted so far.

    Attributes:
      waits: by upper bound in seconds, how many messages waited no longer.
      webhooks: by outcome, how many came in.
    """

    waits: Mapping[float, float]
    webhooks: Mapping[str, int]


NO_TOTALS = MetricTotals({}, {})


def read_totals(metrics: MetricSource | None) -> MetricTotals:
    """Add up the metrics of all queues and processes."""
    waits, webhooks = Counter[float](), Counter[str]()
    for family in () if metrics is None else metrics.collect():
        if family.name == _WAITS:
            for sample in family.samples:
                if sample.name == _WAITS + "_bucket":
                    waits[float(sample.labels["le"])] += sample.value  # type: ignore[assignment]  # whole numbers
        elif family.name == _WEBHOOKS:
            for sample in family.samples:
                if sample.name == _WEBHOOKS + "_total":
                    webhooks[sample.labels["outcome"]] += int(sample.value)
    return MetricTotals(waits, webhooks)


def quantile(share: float, before: Mapping[float, float], after: Mapping[float, float]) -> float | None:
    """Return how long the quickest `share` of the messages waited at most, counted between two readings.

    Within a bucket waits are taken to be spread evenly, as Prometheus does. None when there were none.
    """
    bounds = sorted(after)
    counts = [max(0.0, after[bound] - before.get(bound, 0.0)) for bound in bounds]
    if not counts or not counts[-1]:
        return None
    rank, lower, below = share * counts[-1], 0.0, 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if count >= rank and count > below:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, max(below, count)
    return lower
