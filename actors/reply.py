"""A reply, its states, and which of them may follow which.

Both stores, the dashboard and docs/messages.md take the rules from here.

    pending ──> sending ──> sent          the channel accepted it, or told later that it had
       │           ├──────> pending       certainly not sent: to be tried again
       │           ├──────> failed        certainly not sent, and not worth another try by itself
       │           └──────> unknown ──>   sent, or pending again, or unknown for good
       ├──────────────────> failed
       └──────────────────> cancelled     not to be sent at all; also from sending, before any call
    sent ─────────────────> undelivered   the channel accepted it, and told later that it did not arrive
    undelivered ──────────> pending       sent again, by rule; or sent, when it did arrive after all
    failed ───────────────> sending       its dead letter was replayed

A person may have sent again what is undelivered, failed, unknown or cancelled, and may say of what is unknown
that it was sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .conversation import Mode

ReplyState = Literal["pending", "sending", "sent", "undelivered", "failed", "unknown", "cancelled"]

#: What a person may decide about a reply: that it is sent again, or that it was sent.
DecidedState = Literal["pending", "sent"]

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
      by_hand: the states from which a person may bring a reply here.
      is_owed: the contact still waits for it, so it is kept whatever its age, and those after it wait too.
      tone: how it looks to people: `bad` asks for one of them.
    """

    label: str
    follows: tuple[ReplyState, ...]
    by_hand: tuple[ReplyState, ...] = ()
    is_owed: bool = False
    tone: Tone = ""


#: Any reply may turn out to have been sent: a callback names it.
REPLY_STATES: Mapping[ReplyState, Rule] = {
    "pending": Rule(
        "waits to be sent",
        follows=("pending", "sending", "unknown", "undelivered"),
        by_hand=("undelivered", "failed", "unknown", "cancelled"),
        is_owed=True,
    ),
    "sending": Rule("is being sent", follows=("pending", "failed"), is_owed=True),
    "sent": Rule(
        "sent",
        follows=("pending", "sending", "undelivered", "failed", "unknown", "cancelled"),
        by_hand=("unknown",),
    ),
    "undelivered": Rule("not delivered", follows=("sent",), tone="bad"),
    "failed": Rule("could not be sent", follows=("pending", "sending", "unknown"), tone="bad"),
    "unknown": Rule("perhaps sent", follows=("sending",), tone="bad"),
    "cancelled": Rule("not sent", follows=("pending", "sending")),
}

#: The states of replies that the contact still waits for.
OWED: tuple[ReplyState, ...] = tuple(state for state, rule in REPLY_STATES.items() if rule.is_owed)


#: The states of replies that a person has to decide about. The statements for SQLite have them too.
WANTS_ATTENTION: tuple[ReplyState, ...] = tuple(
    state for state, rule in REPLY_STATES.items() if rule.tone == "bad"
)

#: The states of replies that the contact has not seen: what is said next must not rely on them.
NEVER_ARRIVED: tuple[ReplyState, ...] = ("undelivered", "failed", "cancelled")

#: The states of replies of which the channel has told how the delivery goes on, or may still tell.
ACCEPTED: tuple[ReplyState, ...] = ("sent", "undelivered")


@dataclass(frozen=True, slots=True)
class Template:
    """A text that the channel has approved and keeps, for messages to contacts who wrote too long ago.

    Attributes:
      sid: the channel's id of it, such as Twilio's Content SID (`HX...`).
      variables: what stands in its places, by their names.
    """

    sid: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """What a reply carries beside its text.

    Attributes:
      media: addresses (https) at which the channel fetches what it attaches.
      template: sent in place of the text, which is what people and models read in the history.
    """

    media: tuple[str, ...] = ()
    template: Template | None = None

    def __str__(self) -> str:
        kept: dict[str, object] = {"media": self.media} if self.media else {}
        if self.template is not None:
            kept["template"] = {"sid": self.template.sid, "variables": dict(self.template.variables)}
        return json.dumps(kept, ensure_ascii=False) if kept else ""

    @classmethod
    def read(cls, kept: str | None) -> Content:
        """Read what `str` made."""
        if not kept:
            return NOTHING_ELSE
        value = json.loads(kept)
        template = value.get("template")
        return cls(tuple(value.get("media", ())), None if template is None else Template(**template))


#: Most replies are a text and no more.
NOTHING_ELSE = Content()


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
    content: Content = NOTHING_ELSE
    times_sent_again: int = 0
    heard_at: int | None = None  # when its contact last wrote, where that is known
