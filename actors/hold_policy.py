"""Whether the message that holds a conversation will still answer in it.

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
    """It cannot be told now what becomes of another message. In a moment it may be."""


class HoldPolicy(Protocol):
    """How far the engine lets messages see each other.

    Attributes:
      waiters_may_ack: a message that finds its conversation held is done, because it can count on the
        holder. If not, it snoozes until it has held the conversation itself.
    """

    waiters_may_ack: bool

    def holder(self, message_id: str) -> str:
        """Return the name in which a message holds its conversation from now on."""
        ...

    def holder_is_alive(self, holder: str, *, asked_by: str) -> bool:
        """Tell whether the holder of a conversation may still answer in it. False: its hold is void.

        Parameters:
          holder: the name it is held in.
          asked_by: the id of the message that wants to know, or that the one in hand stands in for. What is
            held in its name is held by none other.

        Raises:
          Uncertain: perhaps.
        """
        ...

    def requeue_waiters(self, messages: Sequence[Message[Any]]) -> bool:
        """See that each of these is in the queue, also if it was done because it counted on the one in hand.

        Returns False when one was found running: it is the one of before, perhaps, and about to be done.
        """
        ...

    def may_still_be_sending(self, began_at: int, *, longest_ms: int) -> bool:
        """Tell whether a sending that the current message began, in another delivery, may still be going on.

        Parameters:
          began_at: when it began, in milliseconds since the epoch.
          longest_ms: how long it takes at most, in milliseconds.
        """
        ...


class LookupPolicy:
    """Asks the engine.

    Parameters:
      broker: of an engine that can look messages up.
    """

    waiters_may_ack = True

    def __init__(self, broker: DurableBroker) -> None:
        self._broker = broker

    def holder(self, message_id: str) -> str:
        return message_id

    def holder_is_alive(self, holder: str, *, asked_by: str) -> bool:
        if holder == asked_by:
            return False
        stored = self._broker.backend.get(holder)
        if stored is None or stored.state == "dead":
            return False
        if stored.crashes:
            raise Uncertain("conversation is held by a message that crashed before, and may again")
        return True

    def requeue_waiters(self, messages: Sequence[Message[Any]]) -> bool:
        certain = True
        for message in messages:
            self._broker.enqueue(message)
            stored = self._broker.backend.get(message.message_id)
            certain &= stored is not None and stored.state != "running"
        return certain

    def may_still_be_sending(self, began_at: int, *, longest_ms: int) -> bool:  # noqa: ARG002
        return False  # another delivery is only made when the one before has ended


class ExpiringPolicy:
    """Asks the clock, for engines that cannot be asked: a hold is void after the longest run there can be.

    Parameters:
      longest_run_ms: how long an actor may hold a conversation at a time, in milliseconds. One that takes
        longer loses its hold, and what it would write is not written.
      clock: milliseconds since the epoch.
    """

    waiters_may_ack = False

    def __init__(self, *, longest_run_ms: int, clock: Callable[[], int] = now_ms) -> None:
        self._longest_run_ms = longest_run_ms
        self._clock = clock

    def holder(self, message_id: str) -> str:
        return f"{message_id}@{self._clock() + self._longest_run_ms}"

    def holder_is_alive(self, holder: str, *, asked_by: str) -> bool:
        message_id, _, void_at = holder.rpartition("@")
        # Held by the same message: in a delivery that ended without a word; or that goes on, and then the
        # fence of its hold keeps it from writing a second answer.
        return message_id != asked_by and void_at.isdigit() and int(void_at) > self._clock()

    def requeue_waiters(self, messages: Sequence[Message[Any]]) -> bool:  # noqa: ARG002
        return True  # each of them comes back by itself

    def may_still_be_sending(self, began_at: int, *, longest_ms: int) -> bool:
        return self._clock() < began_at + longest_ms
