"""Twilio's message webhooks, made sense of: what changes the meaning of a message is text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from ...conversation import UNKNOWN_TYPE, Button, Contact, Location, Media
from ..channel import InboundMessage, InvalidMessage, Keyword, Payload

#: The name under which conversations of this channel are kept.
NAME = "twilio"

#: As many attachments as Twilio takes for one message.
MAX_MEDIA = 10

#: What a message cannot do without, and what a call.
NEEDED = ("MessageSid", "AccountSid", "From", "To")
NEEDED_OF_CALLS = ("CallSid", *NEEDED[1:])

#: The statuses of a call that comes in. With any other one Twilio tells how a call went on.
INBOUND_CALL_STATUSES = frozenset({"", "ringing", "queued"})

#: What is recorded of a call, and a model reads in the history.
CALLED = "[called, and was asked to write instead]"

#: How much of each thing that is no text of the contact's own a model is shown, in characters and in fields.
MAX_ASIDE = 500
MAX_FIELDS = 20

#: An address that can be answered: a number with its country, or a name in another network. Short codes
#: (72975) and names (BANCO) send advertisements and codes, and take no answer.
_ANSWERABLE = re.compile(r"\+[0-9]{7,15}|[a-z]+:.+")


class Keywords(NamedTuple):
    """What contacts say to the channel, as whole messages in capitals, beside what Twilio answers itself."""

    stop: frozenset[str]
    start: frozenset[str]
    help: frozenset[str]
    person: frozenset[str] = frozenset()


#: The keywords when no setting has others.
KEYWORDS = Keywords(
    stop=frozenset({"STOP", "PARAR", "SAIR", "CANCELAR"}),
    start=frozenset({"START", "VOLTAR"}),
    help=frozenset({"HELP", "AJUDA"}),
    person=frozenset({"ATENDENTE", "HUMANO", "HUMAN"}),
)

#: What Twilio answers itself on SMS and MMS, where an account has set up no others. On WhatsApp and the like
#: there is no such handling, and YES, CANCEL and END are ordinary answers
#: (https://help.twilio.com/articles/223134027).
TWILIO_KEYWORDS = Keywords(
    stop=frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}),
    start=frozenset({"START", "YES", "UNSTOP"}),
    help=frozenset({"HELP", "INFO"}),
)


def read(payload: Payload, keywords: Keywords = KEYWORDS) -> InboundMessage:
    """Read the parameters of a message webhook, or of a call's.

    Parameters:
      payload: the parameters.
      keywords: what contacts say to the channel.

    Raises:
      InvalidMessage: MessageSid (or CallSid), AccountSid, From or To is missing or empty.
    """
    is_call = bool(text_of(payload, "CallSid")) and not text_of(payload, "MessageSid")
    names = NEEDED_OF_CALLS if is_call else NEEDED
    sid, account_sid, contact, address = needed = [text_of(payload, name) for name in names]
    if not all(needed):
        missing = ", ".join(name for name, value in zip(names, needed, strict=True) if not value)
        raise InvalidMessage(f"The webhook lacks {missing}")
    media, button, location = _media(payload), _button(payload), _location(payload)
    keyword, is_twilios = ("call", False) if is_call else _keyword(payload, contact, keywords)
    return InboundMessage(
        channel=NAME,
        account=account_sid,
        external_id=sid,
        contact=Contact(
            contact, text_of(payload, "ProfileName") or None, text_of(payload, "ExternalUserId") or None
        ),
        address=address,
        text=CALLED if is_call else "\n".join(_said(payload, media, button, location)) or "[empty message]",
        payload=payload,
        media=media,
        button=button,
        location=location,
        reply_to=text_of(payload, "OriginalRepliedMessageSid") or None,
        keyword=keyword,
        is_answered_by_channel=is_twilios,  # and Twilio refuses any answer of ours (error 21610)
        takes_no_answer=contact == address or not _ANSWERABLE.fullmatch(contact),
        service=text_of(payload, "MessagingServiceSid") or None,
    )


def _keyword(payload: Payload, contact: str, keywords: Keywords) -> tuple[Keyword | None, bool]:
    """Return what a whole message says to the channel, and whether Twilio answers that itself."""
    said = text_of(payload, "Body").strip().strip(".!").upper()
    marked = text_of(payload, "OptOutType").upper()
    if marked:
        return _named(marked, TWILIO_KEYWORDS) or "help", True
    if ":" not in contact and (keyword := _named(said, TWILIO_KEYWORDS)):  # SMS or MMS
        return keyword, True
    return _named(said, keywords), False


def _named(said: str, keywords: Keywords) -> Keyword | None:
    names: tuple[Keyword, ...] = ("stop", "start", "help", "person")
    return next((name for name, words in zip(names, keywords, strict=True) if said in words), None)


def text_of(payload: Payload, name: str) -> str:
    """Return a parameter that ought to be a text; the first value when it was repeated.

    Empty when it is missing, or is nothing that can be read as a text: null, an object, a list of lists.
    """
    value = payload.get(name)
    if value is None or type(value) is str:  # most of them: each message is asked for some twenty
        return value or ""
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
            text_of(payload, f"MediaContentType{index}") or UNKNOWN_TYPE,
            text_of(payload, f"MediaUrl{index}"),
        )
        for index in range(_count(text_of(payload, "NumMedia")))
    )


def _button(payload: Payload) -> Button | None:
    for text_name, id_name in (("ButtonText", "ButtonPayload"), ("ListTitle", "ListId")):
        text, identifier = text_of(payload, text_name), text_of(payload, id_name)
        if text or identifier:
            return Button(text or text_of(payload, "Body") or identifier, identifier)
    return None


def _location(payload: Payload) -> Location | None:
    latitude = text_of(payload, "Latitude")
    if not latitude:
        return None
    return Location(
        latitude, text_of(payload, "Longitude"), text_of(payload, "Label"), text_of(payload, "Address")
    )


def _said(
    payload: Payload, media: tuple[Media, ...], button: Button | None, location: Location | None
) -> Iterator[str]:
    """Yield what the contact said, a line for each thing. A message may be a picture, a place, a button."""
    body = text_of(payload, "Body")
    if body or button is not None:
        yield body or ("" if button is None else button.text)
    if button is not None and button.id and button.id != button.text:
        yield f"[chose: {_short(button.text)}, id {_short(button.id)}]"
    if description := text_of(payload, "ListDescription"):
        yield f"[described as: {_short(description)}]"
    if fields := _fields(text_of(payload, "InteractiveData")):
        yield f"[form: {fields}]"
    for each in media:
        yield each.as_text
    if location is not None:
        where = ", ".join(map(_short, filter(None, (location.label, location.address))))
        place = f"{location.latitude}, {location.longitude}"
        yield f"[location: {where} ({place})]" if where else f"[location: {place}]"
    if advertised := [
        _short(text) for name in ("ReferralHeadline", "ReferralBody") if (text := text_of(payload, name))
    ]:
        yield f"[came from an advertisement: {' / '.join(advertised)}]"
    if "true" in {text_of(payload, name).lower() for name in ("Forwarded", "FrequentlyForwarded")}:
        yield "[forwarded from another chat]"


def _fields(data: str) -> str:
    """Say what stands in a form that the contact filled in: its fields and values, bounded."""
    try:
        fields = list(islice(_leaves(json.loads(data)), MAX_FIELDS + 1)) if data else []
    except (ValueError, RecursionError):
        return _short(data)
    shown = "; ".join(f"{name}: {_short(text)}" for name, text in fields[:MAX_FIELDS])
    shown += "; ..." if len(fields) > MAX_FIELDS else ""
    # JSON can escape half a surrogate pair, which no encoding has: a question mark stands for it.
    return shown.encode(errors="replace").decode()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text and number in a form, with the name it has there, no deeper than ten levels."""
    match value:
        case dict() if name.count(".") < 10:
            for key, inner in value.items():
                yield from _leaves(inner, f"{name}.{key}".lstrip("."))
        case list() if name.count(".") < 10:
            for inner in value:
                yield from _leaves(inner, name)
        case str() | int() | float() if value != "":
            yield name or "value", str(value)


def _short(text: str) -> str:
    return text if len(text) <= MAX_ASIDE else text[: MAX_ASIDE - 1] + "…"
