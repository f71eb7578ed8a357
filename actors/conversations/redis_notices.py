"""The events that people are told of, on a Redis server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from . import scripts
from .notices import REMEMBERED_MS, NotedEvent, Standing, Taken
from .redis_calls import Scripts, text


class RedisNoticeStore:
    """A `NoticeStore` on a Redis or Valkey server.

    Parameters:
      scripts: calls the scripts of a `RedisConversationStore`.
    """

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def note(self, receivers: Sequence[str], event: NotedEvent, *, waits: bool) -> None:
        content = json.dumps(dict(event.content), ensure_ascii=False)
        noted = (event.event_id, event.at, int(waits), content, REMEMBERED_MS)
        self._scripts.change(scripts.NOTICES_NOTE, *noted, *receivers, read=_nothing)

    def standing(self, receiver: str, *, since: int) -> Standing:
        return self._scripts.ask(scripts.NOTICES_STANDING, receiver, since, read=_standing)

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
        arguments = (receiver, taker, now, ripe_at, int(is_quiet), until, expired_at)
        return self._scripts.change(scripts.NOTICES_TAKE, *arguments, read=_taken)

    def settle(self, receiver: str, event_ids: Sequence[str], *, told_at: int) -> None:
        self._scripts.change(scripts.NOTICES_SETTLE, receiver, told_at, *event_ids, read=_nothing)

    def give_back(
        self, receiver: str, taker: str, event_ids: Sequence[str], *, not_before: int, failures: int
    ) -> None:
        refused = (receiver, taker, not_before, failures, REMEMBERED_MS)
        self._scripts.change(scripts.NOTICES_GIVE_BACK, *refused, *event_ids, read=_nothing)


def _nothing(_: Any) -> None:
    return None


def _standing(answer: list[Any]) -> Standing:
    not_before, failures, told_at = answer
    return Standing(int(not_before), int(failures), [int(at) for at in told_at])


def _taken(answer: list[Any]) -> Taken:
    left_at, waiting, expired, rows = answer
    events = [
        NotedEvent(text(event_id), int(at), json.loads(text(content))) for event_id, at, content in rows
    ]
    return Taken(events, None if left_at is None else int(left_at), waiting, expired)
