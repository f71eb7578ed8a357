"""What all answers of a day may cost: beyond it a person answers, until the next day in UTC.

Calls that are in flight when the budget is used up are answered. So a day may cost some answers more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from brokers.clock import now_ms
from brokers.errors import EngineError
from ops.foundation.settings import Settings

from .conversations.usage import Sums, UsageReader, day_of
from .prices import MICRO

logger = structlog.get_logger(__name__)

#: Why a person answers, for that person.
OVER_BUDGET = "the budget of the day is used up; the assistant answers again tomorrow"


def used_share(usage: UsageReader, settings: Settings, *, at_ms: int) -> float | None:
    """Return which share of its budget a day has used, 1 for all of it; None where there is no budget.

    Parameters:
      usage: the sums.
      settings: have the budget. Of one in money and one in tokens, the one that is used more counts.
      at_ms: a time of the day, in milliseconds since the epoch.
    """
    money, tokens = settings.budget_per_day, settings.budget_tokens_per_day
    if money is None and tokens is None:
        return None
    day = day_of(at_ms)
    used = Sums.of(row.sums for row in usage.days(since=day, until=day))
    return max(
        0.0 if money is None else used.cost / MICRO / money, 0.0 if tokens is None else used.tokens / tokens
    )


def share_to_warn_of(usage: UsageReader, settings: Settings, *, at_ms: int) -> float | None:
    """Return which share of its budget a day has used, from BUDGET_WARN_SHARE on; None below it."""
    share = used_share(usage, settings, at_ms=at_ms)
    return None if share is None or share < settings.budget_warn_share else share


class BudgetCollector(Collector):
    """Shows how much of the day's budget is used.

    Parameters:
      usage: the sums.
      settings: have the budget.
      clock: milliseconds since the epoch.
    """

    def __init__(self, usage: UsageReader, settings: Settings, *, clock: Callable[[], int] = now_ms) -> None:
        self._usage = usage
        self._settings = settings
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        try:
            share = used_share(self._usage, self._settings, at_ms=self._clock())
        except EngineError as error:  # which `recado_conversations_up` tells
            logger.warning("what was used of the budget cannot be counted", why=str(error))
            return
        if share is not None:
            yield GaugeMetricFamily(
                "recado_budget_used_ratio", "Share of the day's budget that is used; 1 is all of it.", share
            )
