"""The calls that all workers share, kept with the conversations on Redis."""

from __future__ import annotations

from typing import cast

from . import scripts
from .redis_calls import Scripts, text
from .shared_calls import WANTED_MS, Taking


class RedisSharedCalls:
    """See `SharedCalls`. The rule of `taking` is in lua/take_call.lua, too.

    Parameters:
      calls: calls the scripts.
    """

    def __init__(self, calls: Scripts) -> None:
        self._scripts = calls

    def take(self, holder: str, address: str, *, most: int, lease_ms: int) -> Taking:
        taken = self._scripts.note(scripts.TAKE_CALL, holder, address, most, lease_ms, WANTED_MS, read=text)
        return cast(Taking, taken)

    def end(self, holder: str) -> None:
        self._scripts.note(scripts.END_CALL, holder, read=int)

    def pause(self, pause_ms: int) -> None:
        self._scripts.note(scripts.PAUSE_CALLS, pause_ms, read=int)
