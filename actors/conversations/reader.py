"""What the dashboard and the command line read of conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..conversation import Author, Mode
from ..reply import ReplyState


class ThreadEntry(NamedTuple):
    """One bubble of a conversation's thread."""

    author: Author
    text: str
    at: int  # received or written, in milliseconds since the epoch
    reply_id: str | None  # what answered it, or what it is
    message_id: str | None  # of an inbound message
    external_id: str | None  # the channel's id of it
    state: ReplyState | None  # replies only, as the next two
    delivery_status: str | None  # the channel's last word
    error: str | None
    written_by: str | None  # the person who wrote a reply, if one did
    in_quarantine: bool  # it could not be answered, and a person has its dead letter


class Summary(NamedTuple):
    """A conversation in a list of them."""

    conversation: str
    contact: str
    address: str
    last_at: int  # when something was last said, in milliseconds since the epoch
    message_id: str  # of one of its newest messages: names it where its contact must not be read
    author: Author  # of what was said last
    text: str  # what was said last
    unanswered: int  # messages that wait for an answer
    state: ReplyState | None  # of the newest reply
    delivery_status: str | None  # of that reply
    mode: Mode  # who answers
    mode_reason: str | None  # why it is not the assistant
    channel: str  # its name


class ConversationReader(Protocol):
    """Reads conversations for people. Thread-safe; changes nothing."""

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[ThreadEntry]:
        """Return all that was said, each answered message before its answer; or the last `limit` of it."""
        ...

    def conversations(
        self, *, contact: str | None = None, mode: Mode | None = None, limit: int = 50, offset: int = 0
    ) -> Sequence[Summary]:
        """Return a page of conversations, those in which something was said last first.

        Parameters:
          contact: a part of the contact's address, to the letter; None for all.
          mode: who answers in them; None for all.
          limit, offset: the page.
        """
        ...

    def summary(self, conversation: str) -> Summary | None:
        """Return one conversation."""
        ...

    def conversation_of(self, message_id: str) -> str | None:
        """Return the key of the conversation that an inbound message (`InboundMessage.message_id`) is in."""
        ...
