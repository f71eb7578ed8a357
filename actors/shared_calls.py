"""A call of the model when all workers together may make only so many, or none for a while."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from brokers.errors import EngineError
from brokers.message_in_hand import current_message

from .conversations.turn import Turn
from .metrics import metrics
from .responders.responder import ResponderUnavailable
from .services import services

logger = structlog.get_logger(__name__)

#: How long a message waits before it asks for a call again, in milliseconds, at least and at most. Not the
#: same for all: those that were refused together come back one by one.
ASK_AGAIN_MS = (500, 1_500)

#: How long this process hands out no other message when all calls are taken, in seconds.
FULL_PAUSE_S = 0.05


class NoCallNow(Exception):
    """The model may not be asked now. The message is to come back.

    Parameters:
      why: `full`, `for_others` or `paused`, as the metric has it.
      delay_ms: when to ask again, in milliseconds.
    """

    def __init__(self, why: str, delay_ms: int) -> None:
        super().__init__(why)
        self.delay_ms = delay_ms
        metrics().ai_calls_put_off.labels(why).inc()


def end_call_of_before() -> None:
    """End the call that the current message had when its worker died: it may not need one any more."""
    message = current_message()
    if message is not None and services().settings.ai_max_concurrent is not None:
        services().conversations.shared_calls.end(message.message_id)


@contextmanager
def shared_call(turn: Turn, address: str) -> Iterator[None]:
    """While inside, one of the calls is made that all workers share. What it raises is told to all of them.

    Parameters:
      turn: what is to be answered.
      address: the address of ours that it came to.

    Raises:
      NoCallNow: no call may be made. The message then waits in the queue, and not in a thread.
    """
    limit, calls, message = services().calls_limit, services().conversations.shared_calls, current_message()
    if turn.calls_paused_ms:
        pause_s = limit.bounded(turn.calls_paused_ms / 1000)
        limit.pause(pause_s)
        raise NoCallNow("paused", int(1000 * pause_s) + random.randint(0, ASK_AGAIN_MS[0]))  # noqa: S311
    most = services().settings.ai_max_concurrent
    holder = "called-directly" if message is None else message.message_id
    if most is not None:
        lease_ms = int(services().settings.longest_run_s * 1000)
        taken = calls.take(holder, address, most=most, lease_ms=lease_ms)
        if taken != "taken":
            if taken == "full":
                limit.pause(FULL_PAUSE_S)
            raise NoCallNow(taken, random.randint(*ASK_AGAIN_MS))  # noqa: S311  no secret
    try:
        yield
    except ResponderUnavailable as error:
        if error.overloaded and error.delay:
            calls.pause(int(1000 * limit.bounded(error.delay / 1000)))
        raise
    finally:
        if most is not None:
            _end(holder)


def _end(holder: str) -> None:
    """End a call. Where the store cannot, its lease does: an answer that was paid for is not lost."""
    try:
        services().conversations.shared_calls.end(holder)
    except EngineError as error:
        logger.warning("the end of a call of the model could not be noted: its lease ends it", why=str(error))
