"""Twilio's webhooks, made sense of."""

from __future__ import annotations

import re

from ...conversation import Button, Contact, Location, Media
from ..channel import InboundMessage, InvalidMessage, Payload

#: The name under which conversations of this channel are kept.
NAME = "twilio"

#: As many attachments as Twilio takes for one message.
MAX_MEDIA = 10

#: What a message cannot do without.
NEEDED = ("MessageSid", "AccountSid", "From", "To")


def read(payload: Payload) -> InboundMessage:
    """Read the parameters of a message webhook.

    Raises:
      InvalidMessage: MessageSid, AccountSid, From or To is missing or empty.
    """
    message_sid, account_sid, contact, address = needed = [text_of(payload, name) for name in NEEDED]
    if not all(needed):
        missing = ", ".join(name for name, value in zip(NEEDED, needed, strict=True) if not value)
        raise InvalidMessage(f"The webhook lacks {missing}")
    media, button, location = _media(payload), _button(payload), _location(payload)
    return InboundMessage(
        channel=NAME,
        account=account_sid,
        external_id=message_sid,
        contact=Contact(contact, text_of(payload, "ProfileName") or None),
        address=address,
        text=_text(payload, media, button, location),
        payload=payload,
        media=media,
        button=button,
        location=location,
        reply_to=text_of(payload, "OriginalRepliedMessageSid") or None,
        # STOP, START or HELP: Twilio refuses any answer of ours (error 21610).
        is_answered_by_channel=bool(text_of(payload, "OptOutType")),
    )


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
    """Read a number of attachments: whatever the sender says, no more than a message can have."""
    return min(int(text), MAX_MEDIA) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _media(payload: Payload) -> tuple[Media, ...]:
    return tuple(
        Media(
            text_of(payload, f"MediaContentType{index}") or "application/octet-stream",
            text_of(payload, f"MediaUrl{index}"),
        )
        for index in range(_count(text_of(payload, "NumMedia")))
    )


def _button(payload: Payload) -> Button | None:
    text, identifier = text_of(payload, "ButtonText"), text_of(payload, "ButtonPayload")
    return Button(text or identifier, identifier) if text or identifier else None


def _location(payload: Payload) -> Location | None:
    latitude = text_of(payload, "Latitude")
    if not latitude:
        return None
    return Location(
        latitude, text_of(payload, "Longitude"), text_of(payload, "Label"), text_of(payload, "Address")
    )


def _text(
    payload: Payload, media: tuple[Media, ...], button: Button | None, location: Location | None
) -> str:
    """Say what the contact said. A message may be a picture, a place or a pressed button."""
    said = text_of(payload, "Body") or (button.text if button is not None else "")
    parts = [said] if said else []
    for index in range(len(media)):
        parts.append(f"[media: {text_of(payload, f'MediaContentType{index}') or 'unknown type'}]")
    if location is not None:
        where = ", ".join(filter(None, (location.label, location.address)))
        place = f"{location.latitude}, {location.longitude}"
        parts.append(f"[location: {where} ({place})]" if where else f"[location: {place}]")
    return "\n".join(parts) or "[empty message]"
