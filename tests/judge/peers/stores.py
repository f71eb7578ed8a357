"""What a peer's store still holds when the judge looks into it: fairness to what is late, and not gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import redis

from ..ledger import TOKEN, Inbound

#: Where Dramatiq's RedisBroker keeps the messages of its default queue, those that are delayed, and those
#: that failed for good.
WAITING_KEYS, DEAD_KEY = ("dramatiq:default.msgs", "dramatiq:default.DQ.msgs"), "dramatiq:default.XQ.msgs"


@dataclass(frozen=True)
class Stored:
    """Texts that name messages by their token, or by their MessageSid.

    Attributes:
      dead: messages that failed for good, where a person can see them.
      waiting: messages that are neither done nor dead.
    """

    dead: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


#: Reads the store of an app in a directory, with a Redis at a port.
Read = Callable[[Path, int], Stored]


def nothing(_directory: Path, _port: int) -> Stored:
    return Stored()


def dramatiq_redis(_directory: Path, port: int) -> Stored:
    with redis.Redis(port=port, decode_responses=True) as client:
        waiting: list[str] = [text for key in WAITING_KEYS for text in client.hvals(key)]
        return Stored(list(client.hvals(DEAD_KEY)), waiting)


def dramatiq_sqlite(directory: Path, _port: int) -> Stored:
    rows = _rows(directory / "dramatiq.sqlite", "SELECT state, message FROM dramatiq_messages")
    return _sorted(rows, dead={"rejected"}, waiting={"queued", "consumed"})


def dbos(directory: Path, _port: int) -> Stored:
    rows = _rows(directory / "dbos.sqlite", "SELECT status, workflow_uuid FROM workflow_status")
    return _sorted(rows, dead={"ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}, waiting={"PENDING", "ENQUEUED"})


def tokens(texts: Iterable[str], inbound: Iterable[Inbound]) -> set[str]:
    """The tokens of the messages that the texts name."""
    together = "\n".join(texts)
    named = set(TOKEN.findall(together))
    return named | {each.token for each in inbound if each.sid in together}


def _rows(path: Path, query: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        return connection.execute(query).fetchall()


def _sorted(rows: Iterable[tuple[str, str]], *, dead: set[str], waiting: set[str]) -> Stored:
    rows = list(rows)
    return Stored(
        [text for state, text in rows if state in dead], [text for state, text in rows if state in waiting]
    )
