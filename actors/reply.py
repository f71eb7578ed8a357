"""A reply, its states, and which of them may follow which.

Both stores, the dashboard and docs/messages.md take the rules from here.

    pending ──> sending ──> sent          the channel accepted it, or told later that it had
       │           ├──────> pending       certainly not sent: to be tried again
       │           ├──────> failed        certainly not sent, and not worth another try by itself
       │           └──────> unknown ──>   sent, or pending again, or unknown for good
       ├──────────────────> failed
       └──────────────────> cancelled     not to be sent at all; also from sending, before any call
    failed ───────────────> sending       its dead letter was replayed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .conversation import Mode

ReplyState = Literal["pending", "sending", "sent", "failed", "unknown", "cancelled"]

#: An `answer` of the responder, what it says last before a person answers (`hand_over`), what that `person`
#: says, the `fallback` text, a `notice` about messages themselves, or `silence`, which says nothing.
ReplyKind = Literal["answer", "hand_over", "person", "fallback", "notice", "silence"]

#: The replies that do not go out any more, by who answers in their conversation by then.
WITHHELD: Mapping[Mode, frozenset[ReplyKind]] = {
    "assistant": frozenset(),
    "person": frozenset({"answer", "fallback"}),
    "nobody": frozenset({"answer", "hand_over", "person", "fallback"}),
}


Tone = Literal["good", "bad", ""]


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for a reply in a state.

    Attributes:
      label: what people are told.
      follows: the states in which a reply may be before.
      is_owed: the contact still waits for it, so it is kept whatever its age, and those after it wait too.
      tone: how it looks to people: `bad` asks for one of them.
    """

    label: str
    follows: tuple[ReplyState, ...]
    is_owed: bool = False
    tone: Tone = ""


#: Any reply may turn out to have been sent: a callback names it.
REPLY_STATES: Mapping[ReplyState, Rule] = {
    "pending": Rule("waits to be sent", follows=("pending", "sending", "unknown"), is_owed=True),
    "sending": Rule("is being sent", follows=("pending", "failed"), is_owed=True),
    "sent": Rule("sent", follows=("pending", "sending", "failed", "unknown", "cancelled")),
    "failed": Rule("could not be sent", follows=("pending", "sending", "unknown"), tone="bad"),
    "unknown": Rule("perhaps sent", follows=("sending",), tone="bad"),
    "cancelled": Rule("not sent", follows=("pending", "sending")),
}

#: The states of replies that the contact still waits for.
OWED: tuple[ReplyState, ...] = tuple(state for state, rule in REPLY_STATES.items() if rule.is_owed)


class Reply(NamedTuple):
    """A reply, written and perhaps sent. Times are in milliseconds since the epoch."""

    reply_id: str
    conversation: str
    channel: str
    account: str
    contact: str  # the customer's address
    address: str  # ours
    body: str
    kind: ReplyKind
    state: ReplyState
    received_at: int  # when the oldest message that it answers came in
    written_at: int
    sending_at: int | None
    external_id: str | None  # the channel's
    delivery_status: str | None  # the channel's last word
    error: str | None
    mode: Mode  # who answers in its conversation
    mode_reason: str | None = None  # why it is not the assistant
    written_by: str | None = None  # the person who wrote it, if one did
