"""Exports and erases conversations, and deletes what is older than it may be: the keeper's contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from ..conversation import Mode
from ..reply import ReplyKind, ReplyState
from .reader import Note
from .usage import Sums

#: The reason of the mode `nobody`, for people, where the conversation of the opt-out was erased.
OPTED_OUT_BEFORE = "opted out, before what was kept of them was erased"


class KeptMessage(NamedTuple):
    """A message of a contact's, with all that is stored of it. Times are milliseconds since the epoch."""

    message_id: str
    external_id: str  # the channel's id of it
    text: str
    payload: str  # all that the channel sent, as JSON
    received_at: int
    reply_id: str | None  # what answered it
    in_quarantine: bool


class KeptReply(NamedTuple):
    """A reply, with all that is stored of it. Times are milliseconds since the epoch."""

    reply_id: str
    text: str
    kind: ReplyKind
    state: ReplyState
    tokens: int | None
    received_at: int
    written_at: int
    sending_at: int | None
    sent_at: int | None
    external_id: str | None
    delivery_status: str | None
    error: str | None
    written_by: str | None
    content: str | None  # media and template, as JSON
    model: str | None  # that wrote it
    input_tokens: int | None
    segments: int | None  # as the channel counts them
    cost: int | None  # of its tokens, in millionths of the currency
    took_ms: int | None  # from asking the model to its answer
    prompt: str | None  # what the model was asked
    tool_calls: str | None  # that an agent made for it, as JSON


class KeptUsage(NamedTuple):
    """What was used in a conversation on a day, which is in days since the epoch."""

    day: int
    sums: Sums


class KeptConversation(NamedTuple):
    """A conversation, with all that is stored of it. Times are milliseconds since the epoch."""

    conversation: str
    account: str
    address: str
    contact: str
    channel: str
    mode: Mode
    mode_reason: str
    mode_at: int
    created_at: int
    last_at: int
    metadata: str  # what a responder of one's own keeps, as JSON
    name: str | None  # the contact's
    contact_id: str | None  # the channel's id of the contact
    writes_from: str | None  # the address that the contact writes from now, where it is another
    usage: Sequence[KeptUsage]
    messages: Sequence[KeptMessage] = ()
    replies: Sequence[KeptReply] = ()
    notes: Sequence[Note] = ()  # of operators


class Deleted(NamedTuple):
    """How much was deleted."""

    conversations: int = 0
    messages: int = 0
    replies: int = 0


class ConversationKeeper(Protocol):
    """Thread-safe. Every change is durable when the method returns."""

    def keys(self, contact: str) -> Sequence[str]:
        """Return the keys of all conversations, empty ones too, whose contact has this in a name of theirs.

        That is the address under which the conversation is kept, or one of `other_names`.
        """
        ...

    def other_names(self, conversation: str) -> Sequence[str]:
        """Return what else the contact is known by: the address now, and the channel's id of the contact."""
        ...

    def kept(self, conversation: str) -> KeptConversation | None:
        """Return all that is stored of a conversation."""
        ...

    def erase(self, conversation: str) -> Deleted:
        """Delete a conversation, whatever is owed in it, with the sums of what was used in it.

        That its contact has opted out is remembered all the same, by a digest of the conversation's key, and
        of the channel's id of the contact.
        """
        ...

    def remember_opt_out(self, digest: str) -> None:
        """Remember that a contact has opted out of whom nothing is kept here.

        Parameters:
          digest: as `contact_digest` makes it.
        """
        ...

    def forget_opt_out(self, digest: str) -> None:
        """Forget it: the contact has opted in again, or was never there."""
        ...

    def begin_housekeeping(self, *, every_ms: int) -> bool:
        """Return whether the caller is to see to what is old now: for one process in so many milliseconds."""
        ...

    def delete_old(self) -> Iterator[Deleted]:
        """Delete what came to rest longer ago than the retention, in steps that hold nothing up for long.

        Messages without an answer and replies that are not sent stay. So do conversations that a person
        answers, and the mode of those whose contact has opted out.
        """
        ...

    def leave_no_trace(self) -> Sequence[str]:
        """Overwrite what deleted rows left on this machine's disk; return why something may be left."""
        ...
