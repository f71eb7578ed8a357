"""Tells what happened to a message, from what its record and its payload say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from actors.conversations import ThreadEntry
from brokers.records import StoredMessage

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
        yield TimelineEvent(sent_at, "Made")
    yield TimelineEvent(stored.enqueued_at, f"Stored in {stored.queue}")
    yield from _deliveries(stored, body)
    if stored.state == "dead":
        yield TimelineEvent(stored.died_at, f"Dead letter: {stored.reason}", "bad")
    elif stored.state == "delayed":
        yield TimelineEvent(stored.due_at, "Due to run")
    elif stored.state == "running":
        yield TimelineEvent(None, "Running now", "good")
    elif stored.due_at > stored.enqueued_at:
        yield TimelineEvent(stored.due_at, "Became due")
    if answer is not None:
        label = label_of(answer.state, answer.delivery_status, answer.error)
        yield TimelineEvent(answer.at, f"Reply written; now: {label.text}", label.tone or "good")


def _deliveries(stored: StoredMessage, body: dict[str, Any]) -> Iterator[TimelineEvent]:
    if stored.deliveries:
        times = "once" if stored.deliveries == 1 else f"{stored.deliveries} times"
        yield TimelineEvent(None, f"Handed to a worker {times}")
    retries = body.get("options", {}).get("retries")
    if isinstance(retries, int) and retries > 0:
        yield TimelineEvent(
            None, f"Failed, and put back for a retry, {retries} times" if retries > 1 else "Retried once"
        )
    if stored.crashes:
        times = "once" if stored.crashes == 1 else f"{stored.crashes} times"
        yield TimelineEvent(None, f"Its worker died under it {times}", "bad")
