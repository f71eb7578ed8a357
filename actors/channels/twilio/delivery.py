"""Twilio's words for how far a delivery is, and its status callbacks."""

from __future__ import annotations

from collections.abc import Mapping

from ...reply import Reply, Tone
from ..channel import DeliveryStatus, InvalidMessage, Payload
from .errors import PACE_MS, Meaning, code_of, explained, meaning_of
from .inbound import text_of

#: How far along a delivery is. Twilio's callbacks may come late and out of order; a status not in here is
#: recorded when nothing better is known
#: (https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks).
RANK: Mapping[str, int] = {
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

#: From here on nothing is waited for: a WhatsApp contact may still read what was delivered.
FINAL_RANK = 6

#: How a status looks to people; one that is not in here says neither good nor bad.
TONES: Mapping[str, Tone] = {"delivered": "good", "read": "good", "failed": "bad", "undelivered": "bad"}

#: The statuses of messages that come in.
INBOUND_STATUSES = frozenset({"", "received", "receiving"})

#: The contact did not get it.
FAILURES = frozenset(status for status, tone in TONES.items() if tone == "bad")


def is_status_callback(payload: Payload) -> bool:
    """Tell whether a webhook speaks of a message that goes out, and of none that came in.

    A status that is not known, which Twilio may have added since, proves neither: what came in has a Body, be
    it empty, and is not to be lost.
    """
    statuses = {text_of(payload, name).lower() for name in ("MessageStatus", "SmsStatus")} - INBOUND_STATUSES
    return not statuses.isdisjoint(RANK) or (bool(statuses) and "Body" not in payload)


def read_status(payload: Payload) -> DeliveryStatus:
    """Read the parameters of a status callback.

    Raises:
      InvalidMessage: it does not say which message of Twilio's it is about.
    """
    sid, status, code = (text_of(payload, name) for name in ("MessageSid", "MessageStatus", "ErrorCode"))
    if not sid:
        raise InvalidMessage("The status callback lacks MessageSid")
    number = code_of(code)
    meaning = None if number is None else meaning_of(number)
    is_failure = status in FAILURES
    return DeliveryStatus(
        external_id=sid,
        status=status,
        rank=RANK.get(status, 0),
        is_failure=is_failure,
        error=explained(code) if code else None,
        contact=text_of(payload, "To"),
        is_opt_out=meaning is Meaning.OPTED_OUT,
        again_after_ms=PACE_MS if is_failure and meaning is Meaning.PACED else None,
        is_final=RANK.get(status, 0) >= FINAL_RANK,
    )


def callback(reply: Reply, *, status: str, error_code: int | str | None) -> Payload | None:
    """Make the parameters of the callback that was to tell a status; None where a later one is known.

    Parameters:
      reply: as it is stored.
      status, error_code: as Twilio has them now.
    """
    if RANK.get(status, 0) <= RANK.get(reply.delivery_status or "", 0):
        return None
    sid = reply.external_id
    told: dict[str, str | None] = {
        "AccountSid": reply.account,
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": status,
        "SmsStatus": status,
        "From": reply.address,
        "To": reply.contact,
    }
    return told if error_code is None else {**told, "ErrorCode": str(error_code)}
