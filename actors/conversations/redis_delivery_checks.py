"""Which sent replies the channel is asked about, on the conversations' Redis server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from brokers.redis.scripts import new_call

from ..reply import Reply
from . import scripts
from .redis_calls import Scripts, optional


class RedisDeliveryChecks:
    """`DeliveryChecks` of a Redis or Valkey server.

    Parameters:
      called: calls the scripts of a `RedisConversationStore`.
      reply: returns a reply by its id.
    """

    def __init__(self, called: Scripts, *, reply: Callable[[str], Reply | None]) -> None:
        self._scripts = called
        self._reply = reply

    def begin(self, *, every_ms: int) -> bool:
        return self._scripts.note(scripts.BEGIN_DELIVERY_CHECK, new_call(), every_ms, read=bool)

    def take(self, looks_ms: Sequence[int]) -> Reply | None:
        reply_id = self._scripts.change(scripts.TAKE_OPEN, *looks_ms, read=optional)
        return None if reply_id is None else self._reply(reply_id)

    def put_back(self, reply_id: str, looks_ms: Sequence[int], *, delay_ms: int) -> None:
        arguments = (reply_id, looks_ms[0], looks_ms[-1], delay_ms)
        self._scripts.change(scripts.PUT_BACK_OPEN, *arguments, read=bool)

    def close(self, reply_id: str) -> None:
        self._scripts.change(scripts.CLOSE_OPEN, reply_id, read=bool)
