"""The events that people are told of, in the conversations' SQLite file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import apsw

from brokers.sqlite.storage import Database

from . import notice_statements as statements
from .notices import REMEMBERED_MS, NotedEvent, Standing, Taken


class SQLiteNoticeStore:
    """A `NoticeStore` in a SQLite file.

    Parameters:
      database: the file that a `SQLiteConversationStore` keeps.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, receivers: Sequence[str], event: NotedEvent, *, waits: bool) -> None:
        content = json.dumps(dict(event.content), ensure_ascii=False)
        rows = [(receiver, event.event_id, event.at, waits, content) for receiver in receivers]

        def apply(connection: apsw.Connection) -> None:
            connection.executemany(statements.NOTE, rows)

        self._database.write(apply)

    def standing(self, receiver: str, *, since: int) -> Standing:
        def read(connection: apsw.Connection) -> Standing:
            row: Any = connection.execute(statements.RECEIVER, (receiver,)).fetchone()
            told = connection.execute(statements.TOLD_SINCE, (receiver, since)).fetchall()
            not_before, failures = (0, 0) if row is None else row
            return Standing(not_before, failures, [at for (at,) in told])  # type: ignore[misc]

        return self._database.read(read)

    def take(
        self,
        receiver: str,
        taker: str,
        *,
        now: int,
        ripe_at: int,
        is_quiet: bool,
        until: int,
        expired_at: int,
    ) -> Taken:
        about = {"receiver": receiver, "taker": taker, "now": now, "is_quiet": is_quiet, "until": until}

        def apply(connection: apsw.Connection) -> Taken:
            connection.execute(statements.EXPIRE, (receiver, expired_at))
            expired = connection.changes()
            oldest: Any = connection.execute(statements.OLDEST, about).fetchone()[0]  # type: ignore[index]
            rows: list[Any] = []
            if oldest is not None and not ripe_at < oldest <= until:
                rows = connection.execute(statements.TAKE, about).fetchall()
                oldest = None
            waiting: Any = (
                connection.execute(statements.WAITING, (receiver,)).fetchone() if is_quiet else (0,)
            )
            events = [NotedEvent(each, at, json.loads(content)) for at, each, content in sorted(rows)]
            return Taken(events, oldest, waiting[0], expired)

        return self._database.write(apply)

    def settle(self, receiver: str, event_ids: Sequence[str], *, told_at: int) -> None:
        def apply(connection: apsw.Connection) -> None:
            connection.execute(statements.SETTLE, (told_at, receiver, json.dumps(list(event_ids))))
            connection.execute(statements.SET_RECEIVER, (receiver, 0, 0))
            connection.execute(statements.FORGET, (told_at - REMEMBERED_MS,))

        self._database.write(apply)

    def give_back(
        self, receiver: str, taker: str, event_ids: Sequence[str], *, not_before: int, failures: int
    ) -> None:
        def apply(connection: apsw.Connection) -> None:
            connection.execute(statements.GIVE_BACK, (receiver, taker, json.dumps(list(event_ids))))
            connection.execute(statements.SET_RECEIVER, (receiver, not_before, failures))

        self._database.write(apply)
