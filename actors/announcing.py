"""Announcing facts to other systems, and the actor that delivers what was announced."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import dramatiq
from dramatiq.errors import Retry
from dramatiq.middleware import TimeLimitExceeded

from brokers.clock import now_ms
from brokers.elastic_threads import waiting
from brokers.message_in_hand import current_message
from ops.foundation.settings import EventType

from .channels import DeliveryStatus, InboundMessage
from .conversation import Mode
from .events.endpoint import NotTaken, Refused
from .events.event import event, of_message, of_reply
from .keys import delivering_id, with_message_id
from .metrics import metrics
from .reply import Reply, ReplyState
from .services import services

#: The longest pause between two attempts, in milliseconds. An endpoint that is back has all within this time.
LONGEST_PAUSE_MS = 15 * 60_000

#: Longer than any message lives: EVENTS_MAX_AGE_MS ends an event after an attempt, never before the first.
NO_AGE_LIMIT_MS = 2**53

#: Of what the channel says of a delivery, what is announced.
_DELIVERIES: Mapping[str, EventType] = {"delivered": "reply.delivered", "read": "reply.read"}

#: From which modes an event leads, and to which.
_CHANGES: Mapping[EventType, tuple[Sequence[Mode], Mode]] = {
    "conversation.handed_over": (("assistant",), "person"),
    "conversation.handed_back": (("person",), "assistant"),
    "conversation.opted_out": (("assistant", "person"), "nobody"),
    "conversation.opted_in": (("nobody",), "assistant"),
}


def announce_message(event_type: EventType, inbound: InboundMessage, *, at_ms: int) -> None:
    """Announce what became of an inbound message. Without EVENTS_URL nothing happens.

    An actor calls this after it stored the message, at each of its runs: after a crash in between it does so
    when it runs again.

    Parameters:
      event_type: what became of it.
      inbound: the message.
      at_ms: when, in milliseconds since the epoch.
    """
    if _is_wanted(event_type):
        _announce(
            event_type, inbound.conversation, of_message(inbound), about=inbound.message_id, at_ms=at_ms
        )


def announce_reply(
    event_type: EventType,
    reply: Reply,
    *,
    state: ReplyState,
    external_id: str | None = None,
    error: str | None = None,
) -> None:
    """Announce what became of a reply. Without EVENTS_URL nothing happens.

    An actor calls this after it stored what became of the reply, also when it finds that an earlier run did.

    Parameters:
      event_type: what became of it.
      reply: the reply.
      state: the state that it is in by that.
      external_id: the channel's id of this sending, where it has one.
      error: why, where that is an error.
    """
    if _is_wanted(event_type):
        data = of_reply(reply, state=state, external_id=external_id, error=error)
        # A reply that is sent again has another id at the channel, or was sending at another time.
        about = f"{reply.reply_id}\n{state}\n{external_id or reply.sending_at}"
        _announce(event_type, reply.conversation, data, about=about, at_ms=now_ms())


def announce_delivery(reply_id: str, status: DeliveryStatus) -> None:
    """Announce what the channel says of a reply's delivery, if it says that the reply arrived.

    Parameters:
      reply_id: the reply.
      status: what the channel says. It is announced also where a later word was recorded before.
    """
    event_type = _DELIVERIES.get(status.status)
    if event_type is None or not _is_wanted(event_type):
        return
    if (reply := services().conversations.reply(reply_id)) is not None:
        announce_reply(event_type, reply, state="sent", external_id=status.external_id)


def announce_mode(
    event_type: EventType,
    conversation: str,
    *,
    reason: str | None = None,
    asked_by: str,
    about: str | None = None,
    is_done: bool = False,
) -> None:
    """Announce that the mode of a conversation changes. Without EVENTS_URL, or a change, nothing happens.

    A caller does so before it changes the mode, as it notes a notice: a crash in between means that the
    caller's message runs again, finds the mode as it was, and announces the same event. The other way round
    it would find nothing to do.

    Parameters:
      event_type: what is about to happen.
      conversation: its key.
      reason: why, for people.
      asked_by: as of `people.note_hand_over`; `silence` where no person took part.
      about: names the fact; None for the queue message in hand, or for this call where there is none.
      is_done: the mode was changed already.
    """
    if not _is_wanted(event_type):
        return
    before, mode = _CHANGES[event_type]
    if is_done or services().conversations.mode(conversation) in before:
        data = {"mode": mode, "reason": reason, "asked_by": asked_by}
        _announce(event_type, conversation, data, about=about or _in_hand(), at_ms=now_ms())


def _is_wanted(event_type: EventType) -> bool:
    parts = services()
    return bool(parts.endpoints) and event_type in parts.settings.event_types


def _announce(
    event_type: EventType, conversation: str, data: Mapping[str, Any], *, about: str, at_ms: int
) -> None:
    announced = event(event_type, conversation, data, about=about, at_ms=at_ms)
    for name in services().endpoints:
        message = deliver_event.message(name, dict(announced))
        services().broker.enqueue(with_message_id(message, delivering_id(name, announced["id"])))


def _in_hand() -> str:
    """Name the queue message in hand. A request to the API is named at random: it happens once."""
    message = current_message()
    return uuid.uuid4().hex if message is None else str(message.message_id)


class EventNotDelivered(Exception):
    """An event was given up. The message says why; replaying its dead letter delivers it."""


def worth_a_retry(retries: int, error: BaseException) -> bool:  # noqa: ARG001  age ends it, and not a number
    """All but what was given up."""
    return not isinstance(error, EventNotDelivered)


@dramatiq.actor(
    queue_name="events",
    max_age=NO_AGE_LIMIT_MS,
    max_backoff=LONGEST_PAUSE_MS,
    retry_when=worth_a_retry,
)
def deliver_event(endpoint: str, event: dict[str, Any]) -> None:
    """Deliver an event to one of EVENTS_URL, at least once, in no order.

    Parameters:
      endpoint: its name.
      event: the event.

    Raises:
      EventNotDelivered: the endpoint refused it, or took nothing for EVENTS_MAX_AGE_MS, or is gone.
    """
    to = services().endpoints.get(endpoint)
    if to is None:
        raise _given_up(endpoint, f"EVENTS_URL has no number {endpoint} any more")
    try:
        with waiting():
            to.post(event)
    except Refused as error:
        raise _given_up(endpoint, str(error)) from None
    except TimeLimitExceeded:  # an answer that comes byte by byte
        _try_again_or_give_up(endpoint, NotTaken(f"{to.label} did not end its answer"))
    except NotTaken as error:
        _try_again_or_give_up(endpoint, error)
    else:
        metrics().events.labels(endpoint, "delivered").inc()


def _try_again_or_give_up(endpoint: str, error: NotTaken) -> None:
    message, longest_ms = current_message(), services().settings.events_max_age_ms
    left_ms = longest_ms - (0 if message is None else message.age_ms)
    if left_ms <= 0:
        why = f"{error}, and was not taken within {longest_ms} ms (EVENTS_MAX_AGE_MS)"
        raise _given_up(endpoint, why) from None
    metrics().events.labels(endpoint, "refused").inc()
    pause_ms = error.retry_after_ms
    raise Retry(str(error), delay=None if pause_ms is None else min(pause_ms, left_ms)) from None


def _given_up(endpoint: str, why: str) -> EventNotDelivered:
    metrics().events.labels(endpoint, "lost").inc()
    return EventNotDelivered(why)
