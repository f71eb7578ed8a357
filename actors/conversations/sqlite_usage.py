"""What was used, in the conversations' SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import apsw

from brokers.sqlite.storage import Database

from ..keys import ConversationKey
from . import reply_statements
from . import usage_statements as usage
from .usage import SUMS_KEPT_DAYS, ContactUsage, DayUsage, Sums, day_of


class SQLiteUsageReader:
    """A `UsageReader` of a SQLite file.

    Parameters:
      database: the file that a `SQLiteConversationStore` keeps.
      retention_ms: for how long what was said is kept, in milliseconds.
      clock: milliseconds since the epoch.
    """

    def __init__(self, database: Database, *, retention_ms: int, clock: Callable[[], int]) -> None:
        self._database = database
        self._retention_ms = retention_ms
        self._clock = clock

    def days(self, *, since: int, until: int) -> Sequence[DayUsage]:
        today = day_of(self._clock())
        days = {"since": max(since, today - SUMS_KEPT_DAYS), "until": min(until, today)}
        rows = self._read(usage.DAYS, days)
        return [DayUsage(day, address, model, Sums._make(sums)) for day, address, model, *sums in rows]

    def contacts(self, *, since: int, until: int, limit: int = 50, offset: int = 0) -> Sequence[ContactUsage]:
        since = max(since, day_of(self._clock() - self._retention_ms))
        page = {"since": since, "until": until, "limit": limit, "offset": offset}
        return [ContactUsage(row[0], Sums._make(row[1:])) for row in self._read(usage.CONTACTS, page)]

    def _read(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda connection: connection.execute(statement, bindings).fetchall())


def count(connection: apsw.Connection, conversation: str, model: str, sums: Sums, *, now: int) -> None:
    """Add to the sums of today, in the caller's transaction."""
    if not any(sums):
        return
    about = {
        "day": day_of(now),
        "key": conversation,
        "address": ConversationKey.read(conversation).address,
        "model": model,
        **sums._asdict(),
    }
    connection.execute(usage.COUNT, about)
    connection.execute(usage.COUNT_CONTACT, about)


def sent(
    connection: apsw.Connection, reply_id: str, sid: str, *, segments: int | None, cost: int, now: int
) -> None:
    """Bring a reply into `sent`, and count that, once for each of the channel's ids of it.

    A callback may tell of the sending before the call's own answer, which knows the segments, and which then
    changes nothing else: the channel may have told by then that it could not deliver the reply.

    Parameters:
      connection: in the caller's transaction.
      reply_id: the reply.
      sid: the channel's id of it.
      segments: how many it was to the channel; None where that is not known here.
      cost: what these cost, in millionths of the currency.
      now: the time, in milliseconds since the epoch.
    """
    row: Any = connection.execute(usage.SENDING, (reply_id,)).fetchone()
    if row is None:
        return
    conversation, model, counted_as, counted = row
    is_changed = False
    if counted_as != sid:
        about = {"reply_id": reply_id, "sid": sid, "segments": segments, "now": now}
        connection.execute(reply_statements.SENT, about)
        is_changed = bool(connection.changes())
    if counted_as is None or is_changed:
        sums = Sums(replies=1, segments=segments or 0, channel_cost=cost)
    elif counted_as == sid and counted is None and segments is not None:
        sums = Sums(segments=segments, channel_cost=cost)
    else:
        return
    if not is_changed:
        connection.execute(usage.COUNTED, (sid, segments, reply_id))
    count(connection, conversation, model, sums, now=now)


def sent_as_known(connection: apsw.Connection, reply_id: str, *, now: int) -> None:
    """Count a reply of which a person knows that it was sent. The channel's id of it is not known."""
    row: Any = connection.execute(usage.SENDING, (reply_id,)).fetchone()
    connection.execute(usage.COUNTED, ("", None, reply_id))
    count(connection, row[0], row[1], Sums(replies=1), now=now)
