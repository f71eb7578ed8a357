"""What each of Twilio's errors means for a reply, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

#: How long to wait before the next try of what is paced, in milliseconds.
PACE_MS = 30_000


class Meaning(StrEnum):
    """What is to be done about a reply that was refused, or accepted and not delivered."""

    PACED = "refused for now, by a limit or a window that passes: the next try is paced"
    OPERATOR = "the account has to be mended first: tried again meanwhile, paced"
    OPTED_OUT = "the contact wants no messages: remembered, and nothing more is sent"
    PERMANENT = "refused for good: a dead letter for a person"


#: By code (https://www.twilio.com/docs/api/errors). A code that is not in here is permanent where its HTTP
#: status says that the request was refused.
MEANINGS: Mapping[int, Meaning] = {
    14107: Meaning.PACED,  # the rate of sending
    21611: Meaning.PACED,  # the sender's queue is full
    30001: Meaning.PACED,  # the sender's queue ran over, after the message was accepted
    30022: Meaning.PACED,  # the carrier's rate
    63018: Meaning.PACED,  # the channel's rate
    20003: Meaning.OPERATOR,  # credentials
    30002: Meaning.OPERATOR,  # the account is suspended
    21211: Meaning.PERMANENT,  # no valid number
    21408: Meaning.PERMANENT,  # no permission for that region
    21606: Meaning.PERMANENT,  # the sender cannot send
    21610: Meaning.OPTED_OUT,
    21612: Meaning.PERMANENT,  # no route between the two
    21614: Meaning.PERMANENT,  # no mobile number
    21617: Meaning.PERMANENT,  # the text is too long
    30003: Meaning.PERMANENT,  # the phone cannot be reached
    30004: Meaning.PERMANENT,  # the contact blocks messages
    30005: Meaning.PERMANENT,  # no such number
    30006: Meaning.PERMANENT,  # a landline, or a carrier that takes none
    30007: Meaning.PERMANENT,  # filtered by the carrier
    30008: Meaning.PERMANENT,  # not told
    30034: Meaning.PERMANENT,  # the sender is not registered (A2P 10DLC)
    63003: Meaning.PERMANENT,  # the channel does not know the contact
    63007: Meaning.PERMANENT,  # the channel does not know the sender
    63015: Meaning.PERMANENT,  # the sandbox's contact has not joined
    63016: Meaning.PERMANENT,  # outside of WhatsApp's 24 hours, and no template
    63024: Meaning.PERMANENT,  # no valid recipient
}

#: Statuses by which a request was certainly refused, before a message was made of it. All others leave it
#: open, 4xx among them: 408 and 425 ask for the request again, 409 and 423 speak of another one, and 499 is
#: a proxy's, when its client had left while Twilio was at it.
REFUSALS = frozenset(
    {400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 416, 417, 422, 428, 429, 431, 451}
)


def meaning_of(code: int | None) -> Meaning:
    """Look up what a code means."""
    return Meaning.PERMANENT if code is None else MEANINGS.get(code, Meaning.PERMANENT)
