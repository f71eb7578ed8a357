"""A turn of a conversation: who may answer, what is unanswered, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..answer import Usage
from ..conversation import Author, Mode
from ..model_call import ModelCall
from ..reply import Reply, ReplyState
from .usage import Sums


class Utterance(NamedTuple):
    """One thing that was said, as it is stored."""

    author: Author
    text: str
    at_ms: int  # received or written, in milliseconds since the epoch
    message_id: str  # of an inbound message, or a reply's id
    payload: str | None  # all that the channel sent, as JSON; None for replies
    state: ReplyState | None = None  # of a reply


class Hold(NamedTuple):
    """The right to answer in a conversation, until it is released or another holder takes it over."""

    conversation: str
    fence: int  # what is done under an older one changes nothing


class Rest(NamedTuple):
    """What is left to be done when a holder has finished."""

    is_done: bool  # the conversation was let go of; else something came in meanwhile, and the hold goes on
    to_send: str | None  # the id of the conversation's next reply to send, as of `next_to_send`


class Answered(NamedTuple):
    """What came of an answer."""

    reply: Reply  # the first of those written
    rest: Rest | None  # where the holder has finished with it


class Turn(NamedTuple):
    """What the holder is to answer."""

    channel: str  # the name of the conversation's channel
    history: Sequence[Utterance]  # everything said before, oldest first, within the limit asked for
    unanswered: Sequence[Utterance]
    metadata: Mapping[str, Any]  # what the responder keeps with the conversation
    mode: Mode = "assistant"  # who answers
    calls_paused_ms: int = 0  # for how long the model takes no call, as some worker heard; 0 for none


class HoldLost(Exception):
    """Another holder has the conversation now; what was to be written under the old hold was not."""


def answered_with(usage: Usage, call: ModelCall) -> Sums:
    """Return what an answer adds to the sums of the day on which it is written."""
    return Sums(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        model_cost=call.cost or 0,
        unpriced=int(call.cost is None and bool(usage.tokens)),
    )
