"""What a phone shows: what was written on it, and the replies that the sender recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from actors.conversation import decoded
from actors.conversations import ConversationReader

from .outbox import SentReply
from .phones import Phone

#: How many lines a phone shows, the latest.
LINES = 30


class Bubble(NamedTuple):
    """A line on a phone.

    Attributes:
      text: what it says.
      at: when it was written or sent, in milliseconds since the epoch.
      is_own: it was written on this phone.
      message_id: of what was written, once it is in the conversation.
      sid: of what was written on this phone lately: its walk can be shown.
      has_picture: a picture is attached.
      times: how often its webhook was posted.
      is_taken: its webhook was answered with 200.
    """

    text: str
    at: int
    is_own: bool
    message_id: str = ""
    sid: str = ""
    has_picture: bool = False
    times: int = 1
    is_taken: bool = True


def screen(phone: Phone, reader: ConversationReader, replies: Sequence[SentReply]) -> Sequence[Bubble]:
    """Return the lines of a phone, in order.

    Parameters:
      phone: the phone.
      reader: has what was written on it before this process was started, or elsewhere in its name.
      replies: what was sent to it.
    """
    remembered = {each.message_id: each for each in phone.written}
    entries = [
        entry for entry in reader.thread(phone.conversation, limit=2 * LINES) if entry.author == "contact"
    ]
    payloads = reader.payloads([each.message_id for each in entries if each.message_id and "[" in each.text])
    bubbles = []
    for entry in entries:
        written = remembered.pop(entry.message_id or "", None)
        payload = payloads.get(entry.message_id or "")
        parameters = {} if payload is None else decoded(payload)
        bubbles.append(
            Bubble(
                text=entry.text if payload is None else str(parameters.get("Body") or ""),
                at=entry.at,
                is_own=True,
                message_id=entry.message_id or "",
                sid="" if written is None else written.sid,
                has_picture=str(parameters.get("MediaContentType0") or "").startswith("image/"),
                times=1 if written is None else len(written.posted),
            )
        )
    bubbles += [
        Bubble(
            text=written.parameters["Body"],
            at=written.posted[0].at_ms,
            is_own=True,
            sid=written.sid,
            has_picture="MediaUrl0" in written.parameters,
            times=len(written.posted),
            is_taken=written.is_taken,
        )
        for written in remembered.values()
    ]
    bubbles += [Bubble(reply.text, reply.sent_at, is_own=False) for reply in replies]
    return sorted(bubbles, key=lambda bubble: bubble.at)[-LINES:]
