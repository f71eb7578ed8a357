"""Labels replies for people: the state or the delivery in a word, and whether that is good or bad."""

from __future__ import annotations

from typing import NamedTuple

from actors.channels.twilio.delivery import TONES
from actors.reply import ACCEPTED, REPLY_STATES, ReplyState, Tone

from ..language.stored import translated


class ReplyLabel(NamedTuple):
    """Holds the text of a label, and its tone."""

    text: str
    tone: Tone


def label_of(state: ReplyState | None, delivery_status: str | None, error: str | None = None) -> ReplyLabel:
    """Choose what to show of a reply: the channel's last word where there is one, or else its state.

    Parameters:
      state: of the reply; None where there is no reply.
      delivery_status: the channel's last word on it.
      error: why it was not sent, or not delivered.
    """
    if state is None:
        return ReplyLabel("", "")
    rule = REPLY_STATES[state]
    tone = "bad" if error or rule.tone == "bad" else TONES.get(delivery_status or "", rule.tone)
    text = rule.label if state not in ACCEPTED else delivery_status or rule.label
    return ReplyLabel(translated(text), tone)
