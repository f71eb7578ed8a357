"""What comes in: a Twilio message webhook's parameters, made sense of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Everything Twilio sent, unknown parameters included; a repeated one keeps its values in a list.
Payload = Mapping[str, Any]

#: As many attachments as Twilio takes for one message.
MAX_MEDIA = 10


class InvalidMessage(ValueError):
    """A parameter that a message cannot do without is missing or empty; the text says which."""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message from a contact.

    Attributes:
      contact: who wrote, as Twilio names them: a phone number, `whatsapp:` and a number, or an id that is
        neither (WhatsApp users without a visible number).
      address: which of our addresses they wrote to; replies come from it.
    """

    account_sid: str
    message_sid: str
    contact: str
    address: str
    body: str
    payload: Payload = field(repr=False)

    @classmethod
    def from_twilio(cls, payload: Payload) -> InboundMessage:
        """Read a webhook's parameters.

        Raises:
          InvalidMessage: MessageSid, AccountSid, From or To is missing or empty.
        """
        missing = [name for name in ("MessageSid", "AccountSid", "From", "To") if not text_of(payload, name)]
        if missing:
            raise InvalidMessage(f"The webhook lacks {', '.join(missing)}")
        return cls(
            account_sid=text_of(payload, "AccountSid"),
            message_sid=text_of(payload, "MessageSid"),
            contact=text_of(payload, "From"),
            address=text_of(payload, "To"),
            body=_body(payload),
            payload=payload,
        )

    @property
    def message_id(self) -> str:
        """The id of the queue message that carries it. A repeated webhook makes the same one again."""
        return f"{self.account_sid}.{self.message_sid}"

    @property
    def is_opt_out(self) -> bool:
        """STOP, START or HELP, which Twilio answers itself (and refuses any answer of ours: error 21610)."""
        return bool(text_of(self.payload, "OptOutType"))

    @property
    def conversation(self) -> str:
        """The key of the conversation it belongs to: one contact at one address of one account."""
        return f"{self.account_sid}|{self.address}|{self.contact}"


def masked(address: str) -> str:
    """An address fit for logs: enough to tell two apart, too little to call anyone.

    >>> masked("whatsapp:+5511900001234")
    'whatsapp:+55•••••••34'
    """
    channel, colon, name = address.rpartition(":")
    hidden = re.sub(r"^(\+?\w\w)(.+)(\w\w)$", lambda m: m[1] + "•" * min(7, len(m[2])) + m[3], name)
    return channel + colon + hidden


def text_of(payload: Payload, name: str) -> str:
    """Return a parameter that ought to be a text; the first value when it was repeated.

    Empty when it is missing, or is nothing that can be read as a text: null, an object, a list of lists.
    """
    value = payload.get(name)
    if isinstance(value, list):  # repeated; or from a JSON body, in which it may be empty
        value = value[0] if value else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if isinstance(value, str) else str(value) if is_number else ""


def _count(text: str) -> int:
    """Of attachments: whatever the sender says, no more than a message can have."""
    return min(int(text), MAX_MEDIA) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _body(payload: Payload) -> str:
    """What the contact said. A message may be a picture, a place or a pressed button."""
    body = text_of(payload, "Body") or text_of(payload, "ButtonText")
    parts = [body] if body else []
    for index in range(_count(text_of(payload, "NumMedia"))):
        parts.append(f"[media: {text_of(payload, f'MediaContentType{index}') or 'unknown type'}]")
    if text_of(payload, "Latitude"):
        parts.append(f"[location: {text_of(payload, 'Latitude')}, {text_of(payload, 'Longitude')}]")
    return "\n".join(parts) or "[empty message]"
