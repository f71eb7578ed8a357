"""What a message can know of the others: whether who holds its conversation will ever look again.

An engine of Recado's own can be asked about any message, and hands each to one worker at a time. SQS can be
asked nothing, and may hand out the same message twice: there only the clock tells what is over for sure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from dramatiq import Message

from brokers.clock import now_ms
from brokers.durable import DurableBroker


class Uncertain(Exception):
    """What becomes of another message cannot be told now. Come back in a moment."""


class Oversight(Protocol):
    """How far the engine lets messages see each other.

    Attributes:
      holder_sees_to_it: a message that finds its conversation held is done, because it can count on the
        holder. If not, it comes back until it has held the conversation itself.
    """

    holder_sees_to_it: bool

    def holder(self, message_id: str) -> str:
        """The name in which a message holds its conversation from now on."""
        ...

    def is_live(self, holder: str, *, asked_by: str) -> bool:
        """Whether whoever holds a conversation may still answer in it. False: its hold is void.

        Parameters:
          holder: the name it is held in.
          asked_by: the id of the message that wants to know, or that the one in hand stands in for. What is
            held in its name is held by none other.

        Raises:
          Uncertain: perhaps.
        """
        ...

    def entrust(self, messages: Sequence[Message[Any]]) -> bool:
        """See that each of these is in the queue, also if it was done because it counted on the one in hand.

        Returns False when one was found running: it is the one of before, perhaps, and about to be done.
        """
        ...

    def may_go_on(self, began_at: int, *, longest_ms: int) -> bool:
        """Whether something that the message in hand began, in another delivery, may still be going on.

        Parameters:
          began_at: when, in milliseconds since the epoch.
          longest_ms: how long it takes at most, in milliseconds.
        """
        ...


class ByLookup:
    """The engine is asked.

    Parameters:
      broker: of an engine that can look messages up.
    """

    holder_sees_to_it = True

    def __init__(self, broker: DurableBroker) -> None:
        self._broker = broker

    def holder(self, message_id: str) -> str:
        return message_id

    def is_live(self, holder: str, *, asked_by: str) -> bool:
        if holder == asked_by:
            return False
        stored = self._broker.backend.get(holder)
        if stored is None or stored.state == "dead":
            return False
        if stored.crashes:
            raise Uncertain("conversation is held by a message that crashed before, and may again")
        return True

    def entrust(self, messages: Sequence[Message[Any]]) -> bool:
        certain = True
        for message in messages:
            self._broker.enqueue(message)
            stored = self._broker.backend.get(message.message_id)
            certain &= stored is not None and stored.state != "running"
        return certain

    def may_go_on(self, began_at: int, *, longest_ms: int) -> bool:  # noqa: ARG002
        return False  # another delivery is only made when the one before has ended


class ByClock:
    """Nobody can be asked, so a hold is void after the longest run there can be.

    Parameters:
      longest_run_ms: how long an actor may hold a conversation at a time, in milliseconds. One that takes
        longer loses its hold, and what it would write is not written.
      clock: milliseconds since the epoch.
    """

    holder_sees_to_it = False

    def __init__(self, *, longest_run_ms: int, clock: Callable[[], int] = now_ms) -> None:
        self._longest_run_ms = longest_run_ms
        self._clock = clock

    def holder(self, message_id: str) -> str:
        return f"{message_id}@{self._clock() + self._longest_run_ms}"

    def is_live(self, holder: str, *, asked_by: str) -> bool:
        message_id, _, void_at = holder.rpartition("@")
        # Held by the same message: in a delivery that ended without a word; or that goes on, and then the
        # fence of its hold keeps it from writing a second answer.
        return message_id != asked_by and void_at.isdigit() and int(void_at) > self._clock()

    def entrust(self, messages: Sequence[Message[Any]]) -> bool:  # noqa: ARG002
        return True  # each of them comes back by itself

    def may_go_on(self, began_at: int, *, longest_ms: int) -> bool:
        return self._clock() < began_at + longest_ms
