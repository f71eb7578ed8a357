"""Tells what happened to a message, from what its record and its payload say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from actors.conversations import ThreadEntry
from brokers.records import StoredMessage

from ..language.catalogue import gettext, ngettext
from ..language.stored import translated
from ..rendering.reply_labels import label_of


class TimelineEvent(NamedTuple):
    """Holds a line of the timeline. `at` is None where the time was not recorded."""

    at: int | None
    what: str
    tone: str = ""


def timeline(
    stored: StoredMessage, body: dict[str, Any], answer: ThreadEntry | None
) -> Iterator[TimelineEvent]:
    """List what happened to a message, in order.

    Parameters:
      stored: the message.
      body: the fields of its payload.
      answer: the reply to it, if there is one.
    """
    sent_at = body.get("message_timestamp")
    if isinstance(sent_at, int) and 0 <= sent_at < stored.enqueued_at - 1_000:
        yield TimelineEvent(sent_at, gettext("Made"))
    yield TimelineEvent(stored.enqueued_at, gettext("Stored in {queue}", queue=stored.queue))
    yield from _deliveries(stored, body)
    if stored.state == "dead":
        reason = translated((stored.reason or "").replace("_", " "))
        yield TimelineEvent(stored.died_at, gettext("Dead letter: {reason}", reason=reason), "bad")
    elif stored.state == "delayed":
        yield TimelineEvent(stored.due_at, gettext("Due to run"))
    elif stored.state == "running":
        yield TimelineEvent(None, gettext("Running now"), "good")
    elif stored.due_at > stored.enqueued_at:
        yield TimelineEvent(stored.due_at, gettext("Became due"))
    if answer is not None:
        label = label_of(answer.state, answer.delivery_status, answer.error)
        yield TimelineEvent(
            answer.at, gettext("Reply written; now: {state}", state=label.text), label.tone or "good"
        )


def _deliveries(stored: StoredMessage, body: dict[str, Any]) -> Iterator[TimelineEvent]:
    if stored.deliveries:
        text = ngettext("Handed to a worker once", "Handed to a worker {n} times", stored.deliveries)
        yield TimelineEvent(None, text)
    retries = body.get("options", {}).get("retries")
    if isinstance(retries, int) and retries > 0:
        text = ngettext("Retried once", "Failed, and put back for a retry, {n} times", retries)
        yield TimelineEvent(None, text)
    if stored.crashes:
        text = ngettext("Its worker died under it once", "Its worker died under it {n} times", stored.crashes)
        yield TimelineEvent(None, text, "bad")
