"""The calls of the model that all workers share, on whatever machines they run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

#: What became of a call that was to be made: it may be made; or not now, because as many are in flight as
#: there may be, or because another address of ours, which has fewer, waits for one.
Taking = Literal["taken", "full", "for_others"]

#: For how long an address counts as waiting after one of its messages got no call, in milliseconds: longer
#: than a message waits before it asks again.
WANTED_MS = 3_000

#: The longest pause, in milliseconds. One that seems to end later was noted by a clock that was set back
#: since, and is over.
MOST_PAUSED_MS = 30_000


class SharedCalls(Protocol):
    """Counts the calls in flight, of all workers that use the same store.

    A call that was taken counts until it is ended, or its lease is over because its worker died.
    """

    def take(self, holder: str, address: str, *, most: int, lease_ms: int) -> Taking:
        """Take a call; once more for the same holder changes nothing but its lease.

        Parameters:
          holder: on whose behalf: a queue message's id.
          address: the address of ours that the message came to.
          most: how many may be in flight.
          lease_ms: how long the call may take, in milliseconds.
        """
        ...

    def end(self, holder: str) -> None:
        """Note that a call is over. Harmless when it is not known."""
        ...

    def pause(self, pause_ms: int) -> None:
        """Note that the model takes no call for so long, at most `MOST_PAUSED_MS`. Each `Turn` tells it."""
        ...


def paused_ms(until: int, now: int) -> int:
    """Return how much is left of a pause that ends then; both in milliseconds since the epoch."""
    left_ms = until - now
    return left_ms if 0 < left_ms <= MOST_PAUSED_MS else 0


def taking(in_flight: Mapping[str, int], waiting: Sequence[str], address: str, *, most: int) -> Taking:
    """Decide whether an address may have one call more.

    Each address that has calls in flight, or waits for one, has an equal share. A free call is kept for each
    address that waits and has less than its share: from those that have theirs, and, where there are not
    enough, from those that began to wait later. All else may be taken by any.

    Parameters:
      in_flight: the calls, by address.
      waiting: addresses that wait, the one that waits longest first.
      address: the one that asks.
      most: how many calls may be in flight.
    """
    free = most - sum(in_flight.values())
    if free <= 0:
        return "full"
    share = math.ceil(most / len({*in_flight, *waiting, address}))
    is_in_line = in_flight.get(address, 0) < share and address in waiting
    ahead = waiting[: waiting.index(address)] if is_in_line else waiting
    kept = [other for other in ahead if other != address and in_flight.get(other, 0) < share]
    return "taken" if free > len(kept) else "for_others"
