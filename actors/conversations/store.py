"""What a conversation store promises.

A conversation is one contact at one of our addresses. Inbound messages are appended as they come; whoever
holds the conversation answers everything unanswered with one reply; replies are sent one after another.

    reply:  pending ──> sending ──> sent          Twilio accepted it, or told us later that it had
                          │  └────> pending       certainly not sent: to be tried again
                          ├───────> failed        certainly not sent, and not worth another try
                          └───────> unknown ──>   sent, or pending again, or unknown for good
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from ..messages import InboundMessage

ReplyState = Literal["pending", "sending", "sent", "failed", "unknown"]
Author = Literal["contact", "us"]


class Line(NamedTuple):
    """One thing that was said."""

    author: Author
    text: str


class Hold(NamedTuple):
    """The right to answer in a conversation, until it is released or someone takes it over."""

    conversation: str
    fence: int  # what is done under an older one changes nothing


class Turn(NamedTuple):
    """What the holder is to answer."""

    history: Sequence[Line]  # everything said before, oldest first, within the limit asked for
    unanswered: Sequence[Line]
    keys: Sequence[Any]  # the store's own names for what is unanswered


class Reply(NamedTuple):
    """A reply, written and perhaps sent."""

    reply_id: str
    conversation: str
    account_sid: str
    contact: str
    address: str
    body: str
    kind: Literal["answer", "fallback"]
    state: ReplyState
    received_at: int  # when the oldest message it answers came in; this and all times in ms since the epoch
    written_at: int
    sending_at: int | None
    sid: str | None  # Twilio's
    delivery_status: str | None  # what Twilio last said of it
    error: str | None


class Entry(NamedTuple):
    """One bubble of a conversation's thread."""

    author: Author
    text: str
    at: int  # received or written, in milliseconds since the epoch
    reply_id: str | None  # what answered it, or what it is
    message_sid: str | None  # Twilio's
    state: ReplyState | None  # replies only, as the next two
    delivery_status: str | None  # what Twilio last said of it
    error: str | None
    set_aside: bool  # it could not be answered, and a person has its dead letter


class Summary(NamedTuple):
    """A conversation in a list of them."""

    conversation: str
    contact: str
    address: str
    last_at: int  # when something was last said, in milliseconds since the epoch
    message_id: str  # of one of its newest messages: names it where its contact must not be read
    author: Author  # who spoke last
    text: str  # what was said last
    unanswered: int  # messages that wait for an answer
    state: ReplyState | None  # of the newest reply
    delivery_status: str | None  # of that reply


class HoldLost(Exception):
    """Someone else holds the conversation now; what was to be written under the old hold was not."""


class ConversationStore(Protocol):
    """Thread-safe. Every change is durable when the method returns."""

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        """Add an inbound message. False, and nothing changed, when (account, MessageSid) is known.

        Parameters:
          message: the message.
          received_at: when its webhook came in, in milliseconds since the epoch. Messages are answered in
            that order, in whatever order workers get to them.
        """
        ...

    def set_aside(self, message: InboundMessage) -> None:
        """Leave a message out of turns: it could not be answered, and would spoil those after it."""
        ...

    def take_up(self, message: InboundMessage) -> None:
        """Undo `set_aside`."""
        ...

    def unanswered(self, conversation: str) -> Sequence[InboundMessage]:
        """Everything that waits for an answer, oldest first, without what was set aside."""
        ...

    def hold(self, conversation: str, holder: str, *, is_live: Callable[[str], bool]) -> Hold | None:
        """Take the right to answer, or None when another holder has it.

        Parameters:
          conversation: its key.
          holder: the queue message on whose behalf; it may hold again what it held before it crashed.
          is_live: whether a holder can still be counted on. A hold whose holder is not live is void.
        """
        ...

    def turn(self, hold: Hold, *, history_limit: int) -> Turn:
        """What is unanswered, and up to `history_limit` lines said before."""
        ...

    def answer(
        self,
        hold: Hold,
        turn: Turn,
        body: str,
        *,
        kind: Literal["answer", "fallback"],
        tokens: int | None = None,
    ) -> Reply:
        """Write the reply and mark what it answers, in one.

        Raises:
          HoldLost: and nothing was written.
        """
        ...

    def release(self, hold: Hold, *, unless_more: bool) -> bool:
        """Let go. With `unless_more`, not while something is unanswered: then False, and the hold goes on.

        A hold that was lost meanwhile is let go of already: True.
        """
        ...

    def next_to_send(self, conversation: str) -> Reply | None:
        """The oldest reply not yet sent, if nothing stands before it that is just being sent."""
        ...

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        """pending or failed -> sending; None when the reply is in another state.

        Parameters:
          attempt: names this attempt among those of the reply; a time, in milliseconds since the epoch.
          void: attempts that got no answer from the store, so no call to send was made under them. A reply
            that is sending under one of these is not: this attempt takes its place.
        """
        ...

    def record_sent(self, reply_id: str, sid: str) -> None:
        """-> sent."""
        ...

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        """sending or unknown -> pending, or failed when `final`."""
        ...

    def record_unknown(self, reply_id: str, error: str) -> None:
        """sending -> unknown."""
        ...

    def record_delivery(self, reply_id: str, *, sid: str, status: str, error: str | None) -> bool:
        """Take in what Twilio says of a reply's delivery. It moves forward only; False when it did not.

        A status that names an unknown or sending reply proves that it was sent.
        """
        ...

    def reply(self, reply_id: str) -> Reply | None:
        """One reply."""
        ...

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[Entry]:
        """Everything that was said, each answered message before its answer; or the last `limit` of it."""
        ...

    def conversations(
        self, *, contact: str | None = None, limit: int = 50, offset: int = 0
    ) -> Sequence[Summary]:
        """A page of conversations, those in which something was said last first.

        Parameters:
          contact: a part of the contact's address, to the letter; None for all.
        """
        ...

    def summary(self, conversation: str) -> Summary | None:
        """One conversation."""
        ...

    def conversation_of(self, message_id: str) -> str | None:
        """The key of the conversation that an inbound message (`InboundMessage.message_id`) is in."""
        ...

    def knows_sid(self, sid: str) -> bool:
        """Whether some reply is known to be this Twilio message."""
        ...

    def close(self) -> None:
        """Let go of the store's resources."""
        ...


#: How far along a delivery is. Twilio's callbacks may come late and out of order; a status not in here
#: is recorded when nothing better is known (https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks).
DELIVERY_RANK = {
    "accepted": 1,
    "scheduled": 1,
    "queued": 2,
    "sending": 3,
    "sent": 4,
    "partially_delivered": 5,
    "delivered": 6,
    "undelivered": 6,
    "failed": 6,
    "canceled": 6,
    "read": 7,
}


def moves_forward(before: str | None, after: str) -> bool:
    """Whether a delivery status says more than the one before."""
    return DELIVERY_RANK.get(after, 0) > (-1 if before is None else DELIVERY_RANK.get(before, 0))
