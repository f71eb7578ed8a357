"""Messages as SQS keeps them: in base64, with attributes of ours beside them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from dramatiq.errors import DecodeError

from ..records import Delivery
from ..replays import reset_for_replay
from .leases import text_attributes
from .queues import SQSQueue

#: How much of an error goes with a dead letter: its end, which says what it was. In characters.
ERROR_LENGTH = 2_000

#: Attributes that belong to one delivery, and not to what takes its place.
PASSING = {"due_at", "reason", "error"}


def delivery_of(queue: SQSQueue, message: Mapping[str, Any], claimed_at: int) -> Delivery:
    """What SQS handed out, as it is handed on."""
    attributes = text_attributes(message)
    sent_at, count = (
        int(message["Attributes"][name]) for name in ("SentTimestamp", "ApproximateReceiveCount")
    )
    enqueued_at, due_at = attributes.get("enqueued_at", ""), attributes.get("due_at", "")
    return Delivery(
        receipt=message["ReceiptHandle"],
        token=count,
        queue=queue.name,
        message_id=attributes.get("message_id", message["MessageId"]),
        payload=_payload(message["Body"], attributes.get("reason"), claimed_at),
        deliveries=count,
        enqueued_at=int(enqueued_at) if _is_number(enqueued_at) else sent_at,
        due_at=int(due_at) if _is_number(due_at) else sent_at,
        claimed_at=claimed_at,
    )


def _is_number(text: str) -> bool:
    """Whether it is one of ours, and not whatever somebody else may have put there."""
    return text.isascii() and text.isdigit() and len(text) <= 15


def _payload(body: str, died_of: str | None, claimed_at: int) -> bytes:
    """A message's bytes. What is no message of ours is handed on as it is, to be set aside as undecodable."""
    try:
        payload = b64decode(body, validate=True)
    except ValueError:
        return body.encode()
    if died_of is None:
        return payload
    try:
        # A dead letter that is back in its queue was put there by a person.
        return reset_for_replay(payload, at_ms=claimed_at)
    except (DecodeError, TypeError):  # TypeError: JSON, but no message
        return payload


def lasting(attributes: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if name not in PASSING}


def whole_seconds(delay_ms: int) -> int:
    """As SQS counts: never less than was asked for."""
    return -(-delay_ms // 1000)


def plain(text: str) -> str:
    """What SQS takes as an attribute: not empty, and no control characters."""
    printable = "".join(each if each.isprintable() or each in "\n\t" else " " for each in text)
    return printable.encode("ascii", "backslashreplace").decode()[-ERROR_LENGTH:] or "-"
