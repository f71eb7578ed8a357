"""Noting an event that people are to be told of, and the actor that tells them."""

from __future__ import annotations

import dramatiq
import structlog

from brokers.clock import now_ms
from brokers.message_in_hand import current_message

from .conversations import Summary
from .conversations.notices import NotedEvent
from .keys import ConversationKey, notifying_id, with_message_id
from .notices.events import EVENTS, EventName
from .notices.notifier import TOLD_WITHIN_MS, Notifier, Rules
from .notices.quiet_hours import QuietHours
from .notices.wording import Occurrence, masked_contact, shortened, without_addresses
from .services import services

logger = structlog.get_logger(__name__)

#: Where a conversation is in the dashboard, below PUBLIC_BASE_URL.
CONVERSATION_PATH = "/dashboard/conversations/"


def note(
    event: EventName,
    conversation: str,
    *,
    about: str | None = None,
    why: str | None = None,
    quote: str | None = None,
) -> None:
    """Have people told of an event in a conversation. Without NOTIFY_URLS nothing happens.

    An actor notes an event before it changes what the event is about. A crash in between then means that the
    message runs again and notes the same event, which is told once; the other way round it would find nothing
    more to do, and nobody would be told.

    Parameters:
      event: which one.
      conversation: its key.
      about: what it is about, such as the id of a reply: noted again, the event is the same. None for the
        queue message in hand, under which such an event happens once.
      why: why it happened, in words of Recado's own or of the channel's.
      quote: the same in words that may be the customer's. They are told only with NOTIFY_TEXTS.
    """
    parts = services()
    if not parts.receivers:
        return
    occurrence = _occurrence(event, conversation, why=why, quote=quote)
    _note(occurrence, about=about or _in_hand())


def note_for_all(event: EventName, *, about: str, why: str, path: str) -> None:
    """Have people told of an event that concerns all conversations. Without NOTIFY_URLS nothing happens.

    Parameters:
      event: which one.
      about: what it is about, such as a day: noted again, the event is the same.
      why: what happened, in words of Recado's own.
      path: where to look at it, below PUBLIC_BASE_URL.
    """
    if services().receivers:
        link = f"{services().settings.public_base_url or ''}{path}"
        _note(Occurrence(event, why=why, link=link), about=about)


def _note(occurrence: Occurrence, *, about: str) -> None:
    parts, event = services(), occurrence.event
    event_id, names = f"{event}-{about}", list(parts.receivers)
    noted = NotedEvent(event_id, now_ms(), {k: v for k, v in occurrence._asdict().items() if v is not None})
    parts.conversations.notices.note(names, noted, waits=EVENTS[event].waits)
    for name in names:
        _wake(name, event_id, delay_ms=parts.settings.notify_group_ms)


def _occurrence(event: EventName, conversation: str, *, why: str | None, quote: str | None) -> Occurrence:
    settings = services().settings
    summary = services().conversations.reader.summary(conversation)
    said = quote or _last_words(summary)
    return Occurrence(
        event,
        contact=masked_contact(ConversationKey.read(conversation).contact),
        why=None if why is None else shortened(without_addresses(why)),
        quote=shortened(said) if settings.notify_texts and said else None,
        link=None
        if summary is None
        else f"{settings.public_base_url or ''}{CONVERSATION_PATH}{summary.message_id}",
    )


def _last_words(summary: Summary | None) -> str | None:
    return summary.text if summary is not None and summary.author == "contact" else None


def _in_hand() -> str:
    """Name the queue message in hand."""
    message = current_message()
    return "called-directly" if message is None else str(message.message_id)


@dramatiq.actor(queue_name="notices", max_age=TOLD_WITHIN_MS)
def notify(receiver: str) -> None:
    """Tell a receiver what waits for it; if it cannot be told yet, come back when it can.

    Parameters:
      receiver: its name.
    """
    again_at = notifier().tell(receiver, taker=_in_hand())
    if again_at is not None:
        _wake(receiver, str(again_at), delay_ms=max(0, again_at - now_ms()))


def _wake(receiver: str, about: str, *, delay_ms: int) -> None:
    """Have a receiver told later. All that come back at the same time are one message."""
    message = with_message_id(notify.message(receiver), notifying_id(receiver, about))
    services().broker.enqueue(message, delay=delay_ms)


def notifier() -> Notifier:
    """Make what tells this process's receivers."""
    parts, settings = services(), services().settings
    hours = settings.notify_quiet_hours
    rules = Rules(
        group_ms=settings.notify_group_ms,
        max_per_hour=settings.notify_max_per_hour,
        quiet_hours=None if hours is None else QuietHours.read(hours, settings.notify_timezone),
        first_pause_ms=settings.message_min_backoff_ms,
        longest_pause_ms=settings.message_max_backoff_ms,
        longest_run_ms=int(1_000 * settings.longest_run_s),
    )
    return Notifier(parts.conversations.notices, parts.receivers, rules)
