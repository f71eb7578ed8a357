"""What the dashboard and the command line read of conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from ..answer import ToolCall
from ..conversation import Author, Mode
from ..reply import Content, ReplyState

#: Lists of conversations beside those by who answers: the contact wrote last where a person answers; no
#: operator has seen what the contact wrote; a reply did not get through.
Listed = Literal["waiting", "unread", "undelivered"]


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
    content: Content  # what a reply carries beside its text
    model: str | None  # that wrote a reply, if one did
    in_quarantine: bool  # it could not be answered, and a person has its dead letter


class Summary(NamedTuple):
    """A conversation in a list of them."""

    conversation: str
    contact: str
    address: str
    last_at: int  # when something was last said, in milliseconds since the epoch
    message_id: (
        str  # of one of its newest messages, or a reply's: names it where its contact must not be read
    )
    author: Author  # of what was said last
    text: str  # what was said last
    unanswered: int  # messages that wait for an answer
    state: ReplyState | None  # of the newest reply
    delivery_status: str | None  # of that reply
    mode: Mode  # who answers
    mode_reason: str | None  # why it is not the assistant
    channel: str  # its name
    name: str | None  # the contact's, as they gave it to the channel
    is_unread: bool  # no operator has seen what the contact wrote


class Note(NamedTuple):
    """What an operator noted down about a contact."""

    note_id: str
    text: str
    written_by: str
    written_at: int  # in milliseconds since the epoch


class ContactFacts(NamedTuple):
    """What is known of a contact beside what was said. Times are milliseconds since the epoch."""

    first_at: int  # when the conversation began
    heard_at: int | None  # when the contact last wrote
    messages: int  # from the contact
    replies: int
    notes: Sequence[Note]  # oldest first


class Attention(NamedTuple):
    """Something that a person has to decide about.

    Attributes:
      entry_id: of a reply; or of an inbound message, where nothing could be answered.
      conversation: its key.
      text: what was to be said, or what the contact wrote.
      at: when, in milliseconds since the epoch.
      state: of the reply; None for a message.
      error: what is known of the reason.
    """

    entry_id: str
    conversation: str
    text: str
    at: int
    state: ReplyState | None
    error: str | None


class KeptCall(NamedTuple):
    """How a reply came about that a model wrote.

    Attributes:
      model: its name.
      input_tokens, output_tokens: that the answer took; None where the model does not tell.
      cost: of these, in millionths of the currency; None where the model had no price.
      took_ms: from asking to the answer, in milliseconds.
      prompt: what the model was asked; empty where that is not kept.
      tool_calls: the tools that an agent called, in order.
    """

    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost: int | None
    took_ms: int | None
    prompt: str
    tool_calls: Sequence[ToolCall]


class OwnAddress(NamedTuple):
    """An address of ours that contacts have written to, or were written to from."""

    account: str
    address: str
    channel: str  # its name


class PageStart(NamedTuple):
    """Where a page of conversations ended: the next one begins after it, whatever was said meanwhile."""

    last_at: int  # of the last conversation of the page
    conversation: str  # its key; empty where it is gone


class ConversationReader(Protocol):
    """Reads conversations for people. Thread-safe; changes nothing."""

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[ThreadEntry]:
        """Return all that was said, each answered message before its answer; or the last `limit` of it."""
        ...

    def conversations(
        self,
        *,
        contact: str | None = None,
        mode: Mode | None = None,
        listed: Listed | None = None,
        limit: int = 50,
        offset: int = 0,
        after: PageStart | None = None,
    ) -> Sequence[Summary]:
        """Return a page of conversations, those in which something was said last first.

        Parameters:
          contact: a part of the contact's address, to the letter; None for all.
          mode: who answers in them; None for all.
          listed: another list, in place of one by who answers.
          limit, offset: the page.
          after: where the page before ended; None for the first.
        """
        ...

    def summary(self, conversation: str) -> Summary | None:
        """Return one conversation."""
        ...

    def facts(self, conversation: str) -> ContactFacts | None:
        """Return what is known of the contact of a conversation."""
        ...

    def conversation_of(self, message_id: str) -> str | None:
        """Return the key of the conversation that a message is in.

        Parameters:
          message_id: as of `InboundMessage`; or `reply.` and the id of a reply, where the shop wrote first.
        """
        ...

    def attention(self, *, limit: int = 50) -> Sequence[Attention]:
        """Return the latest replies that did not get through and messages that could not be answered, without
        what a person dismissed.
        """
        ...

    def model_call(self, reply_id: str) -> KeptCall | None:
        """Return how a reply came about; None where no model wrote it.

        Of an answer in several replies the first one has what it took.
        """
        ...

    def addresses(self) -> Sequence[OwnAddress]:
        """Return the addresses of ours that conversations are at."""
        ...

    def payloads(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        """Return all that the channel sent with some inbound messages, as JSON, by their ids.

        What is not kept is missing.
        """
        ...
