"""What was used: replies, segments, tokens and costs."""

from __future__ import annotations

import re
from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field

from actors.conversations.usage import day_of
from actors.keys import ConversationKey
from actors.prices import MICRO
from actors.usage_report import By, UsageLine, date_of, report
from brokers.clock import now_ms

from .callers import Reader
from .context import Context
from .cursors import USUAL, Cursor, Limit, from_cursor, to_cursor
from .problems import documented

#: How many days are told of when nothing else is asked for, today included.
USUAL_DAYS = 30

_EPOCH = date(1970, 1, 1)


def _is_iso(value: object) -> object:
    """Take a date in the one form that the document names."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("a day is written as 2026-12-31")
    return value


Day = Annotated[date | None, Query(description="in UTC, such as 2026-12-31"), BeforeValidator(_is_iso)]


class UsageItem(BaseModel):
    """What was used on a day, at a number of ours, by a model, or by a contact. Costs are in the currency."""

    name: str = Field(
        description="the day; the number; the model, empty for replies that none wrote; or the contact"
    )
    address: str | None = Field(description="ours, to which the contact wrote; null: not by contact")
    replies: int = Field(description="that the channel accepted")
    segments: int = Field(description="that these were to the channel")
    input_tokens: int
    output_tokens: int
    model_cost: float = Field(description="of the tokens, by AI_PRICES")
    channel_cost: float = Field(description="of the segments, by SEGMENT_PRICES")
    cost: float | None = Field(description="both together; null: nothing of it has a price")
    unpriced_answers: int = Field(description="answers whose tokens had no price")


class UsagePage(BaseModel):
    """A page of what was used: days newest first, all else by what cost most."""

    currency: str
    since: date
    until: date
    items: list[UsageItem]
    next_cursor: str | None = Field(description="of the next page; null: there is none")


def usage_routes(context: Context) -> APIRouter:
    """Make the operation on what was used."""
    router = APIRouter(prefix="/usage", tags=["usage"])

    @router.get("", responses=documented())
    async def get_usage(
        _: Reader,
        by: Annotated[By, Query(description="what each item is about")] = "day",
        since: Day = None,
        until: Day = None,
        limit: Limit = USUAL,
        cursor: Annotated[Cursor | None, Query()] = None,
    ) -> UsagePage:
        """Tell what was used, of the last thirty days where no others are named."""
        today = day_of(now_ms())
        last = today if until is None else (until - _EPOCH).days
        first = today - USUAL_DAYS + 1 if since is None else (since - _EPOCH).days
        return await context.run(partial(_page, context, by, (first, last), limit, cursor))

    return router


def _page(context: Context, by: By, days: tuple[int, int], limit: int, cursor: str | None) -> UsagePage:
    first, last = days
    start = 0 if cursor is None else int(from_cursor(cursor, int)[0])
    found = report(context.conversations.usage, by, since=first, until=last, limit=limit + 1, offset=start)
    return UsagePage(
        currency=context.currency,
        since=date_of(first),
        until=date_of(last),
        items=[_shown(line) for line in found[:limit]],
        next_cursor=to_cursor(start + limit) if len(found) > limit else None,
    )


def _shown(line: UsageLine) -> UsageItem:
    sums, key = line.sums, line.conversation
    return UsageItem(
        name=line.name,
        address=None if key is None else ConversationKey.read(key).address,
        replies=sums.replies,
        segments=sums.segments,
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        model_cost=sums.model_cost / MICRO,
        channel_cost=sums.channel_cost / MICRO,
        cost=None if sums.known_cost is None else sums.known_cost / MICRO,
        unpriced_answers=sums.unpriced,
    )
