"""What each of Twilio's errors means for a reply, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

#: Where Twilio explains its error codes.
ERRORS_URL = "https://www.twilio.com/docs/api/errors"

#: How long to wait before the next try of what is paced, in milliseconds.
PACE_MS = 30_000


class Meaning(StrEnum):
    """Says how Recado goes on with a reply that Twilio refused, or accepted and did not deliver."""

    PACED = "refused for now, by a limit or a window that passes: the next try is paced"
    OPERATOR = "the account has to be mended first: tried again meanwhile, paced"
    OPTED_OUT = "the contact wants no messages: remembered, and nothing more is sent"
    PERMANENT = "refused for good: a dead letter for a person"


class Error(NamedTuple):
    """An error of Twilio's.

    Attributes:
      meaning: what is to be done about it.
      words: what happened, for people.
    """

    meaning: Meaning
    words: str


#: By code (https://www.twilio.com/docs/api/errors). A code that is not in here is permanent where its HTTP
#: status says that the request was refused.
ERRORS: Mapping[int, Error] = {
    14107: Error(Meaning.PACED, "the rate of sending was too high"),
    20003: Error(Meaning.OPERATOR, "the credentials are wrong"),
    21211: Error(Meaning.PERMANENT, "that is no valid number"),
    21408: Error(Meaning.PERMANENT, "the account may not send to that region"),
    21606: Error(Meaning.PERMANENT, "that sender cannot send"),
    21610: Error(Meaning.OPTED_OUT, "the contact wants no messages"),
    21611: Error(Meaning.PACED, "the sender's queue is full"),
    21612: Error(Meaning.PERMANENT, "there is no route between the two numbers"),
    21614: Error(Meaning.PERMANENT, "that is no mobile number"),
    21617: Error(Meaning.PERMANENT, "the text is too long"),
    30001: Error(Meaning.PACED, "the sender's queue ran over, after the message was accepted"),
    30002: Error(Meaning.OPERATOR, "the account is suspended"),
    30003: Error(Meaning.PERMANENT, "the phone cannot be reached"),
    30004: Error(Meaning.PERMANENT, "the contact blocks messages"),
    30005: Error(Meaning.PERMANENT, "there is no such number"),
    30006: Error(Meaning.PERMANENT, "it is a landline, or its carrier takes no messages"),
    30007: Error(Meaning.PERMANENT, "the carrier took it for spam"),
    30008: Error(Meaning.PERMANENT, "the carrier did not say why"),
    30022: Error(Meaning.PACED, "the carrier's rate was exceeded"),
    30034: Error(Meaning.PERMANENT, "the sender is not registered with US carriers"),
    63003: Error(Meaning.PERMANENT, "the channel does not know the contact"),
    63007: Error(Meaning.PERMANENT, "the channel does not know the sender"),
    63015: Error(Meaning.PERMANENT, "the contact has not joined the sandbox"),
    63016: Error(
        Meaning.PERMANENT, "WhatsApp takes only templates more than 24 hours after the contact wrote"
    ),
    63018: Error(Meaning.PACED, "the channel's rate was exceeded"),
    63024: Error(Meaning.PERMANENT, "that is no valid recipient"),
}

#: How many digits a code has at the most. Twilio's have five.
MOST_DIGITS = 9

#: How people are told of an error, with its words where they are known.
EXPLAINED = "Twilio's error {code}: {words}, see {address}"
UNEXPLAINED = "Twilio's error {code}, see {address}"

#: Why a reply was not sent, or perhaps not, for people.
WINDOW_IS_CLOSED = (
    "The contact last wrote more than 24 hours ago, and WhatsApp takes only templates then. "
    "Answer with a template, or set WHATSAPP_WINDOW_TEMPLATE to one that carries any text."
)
NO_ANSWER = "Twilio gave no answer: {what}"
REFUSAL = "Twilio answered {status}, error {code}: {what}"

#: Statuses by which a request was certainly refused, before a message was made of it. All others leave it
#: open, 4xx among them: 408 and 425 ask for the request again, 409 and 423 speak of another one, and 499 is
#: a proxy's, when its client had left while Twilio was at it.
REFUSALS = frozenset(
    {400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 416, 417, 422, 428, 429, 431, 451}
)


def meaning_of(code: int | None) -> Meaning:
    """Look up what a code means."""
    known = None if code is None else ERRORS.get(code)
    return Meaning.PERMANENT if known is None else known.meaning


def code_of(text: str) -> int | None:
    """Read a code. A text of more digits is none, and Python refuses to read thousands of them."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def explained(code: str) -> str:
    """Tell people of an error, and where Twilio explains it."""
    known = ERRORS.get(code_of(code) or 0)
    address = f"{ERRORS_URL}/{code}"
    if known is None:
        return UNEXPLAINED.format(code=code, address=address)
    return EXPLAINED.format(code=code, words=known.words, address=address)
