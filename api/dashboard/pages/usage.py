"""Shows what was used: replies, segments, tokens and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from starlette.responses import Response

from actors.budget import used_share
from actors.conversations import Summary
from actors.conversations.usage import Sums, day_of
from actors.usage_report import By, UsageLine, date_of, report
from brokers.clock import now_ms

from ..context import DashboardContext
from ..language.catalogue import translatable
from ..page_request import PAGE_SIZE, PageRequest

#: What a report can be by, and what it is called.
VIEWS: Mapping[By, str] = {
    "day": translatable("By day"),
    "number": translatable("By number"),
    "model": translatable("By model"),
    "contact": translatable("By contact"),
}

#: How many days a report can be of, today included.
PERIODS = (7, 30, 90)


class Row(NamedTuple):
    """Holds a line of the report, and the conversation that it is about, if it is about one."""

    line: UsageLine
    summary: Summary | None = None


class Bar(NamedTuple):
    """Holds a day of the chart: what was used, and its height, of 100."""

    day: str
    sums: Sums
    height: float


def usage(context: DashboardContext, request: PageRequest) -> Response:
    """Show what was used."""
    by: By = next((each for each in VIEWS if each == request.get("by")), "day")
    days = request.number("days", PERIODS[0])
    if days not in PERIODS:
        days = PERIODS[0]
    now, start = now_ms(), request.number("from")
    today, reader = day_of(now), context.conversations.usage
    lines = report(reader, by, since=today - days + 1, until=today, limit=PAGE_SIZE + 1, offset=start)
    bars = _bars(report(reader, "day", since=today - days + 1, until=today, limit=days), today, days)
    return context.render_page(
        request,
        "usage.html",
        active="usage",
        by=by,
        views=VIEWS,
        days=days,
        periods=PERIODS,
        rows=[_row(context, line) for line in lines[:PAGE_SIZE]],
        total=Sums.of(bar.sums for bar in bars),
        today=bars[-1].sums,
        bars=bars,
        budget_used=used_share(reader, context.settings, at_ms=now),
        warn_share=context.settings.budget_warn_share,
        currency=context.settings.currency,
        start=start,
        at_end=len(lines) <= PAGE_SIZE,
    )


def _row(context: DashboardContext, line: UsageLine) -> Row:
    if line.conversation is None:
        return Row(line)
    return Row(line, context.conversations.reader.summary(line.conversation))


def _bars(lines: Sequence[UsageLine], today: int, days: int) -> Sequence[Bar]:
    """Make the chart: of costs, or of tokens where nothing has a price. Days without any are in it."""
    by_day = {line.name: line.sums for line in lines}
    names = [date_of(day).isoformat() for day in range(today - days + 1, today + 1)]
    has_cost = any(sums.cost for sums in by_day.values())
    amounts = [(s.cost if has_cost else s.tokens) if (s := by_day.get(name)) else 0 for name in names]
    most = max(*amounts, 1)
    return [
        Bar(name, by_day.get(name, Sums()), 100 * amount / most)
        for name, amount in zip(names, amounts, strict=True)
    ]
