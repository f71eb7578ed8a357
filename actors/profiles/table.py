"""What may stand in a profile's table, and what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from .opening import OpenTime, read_openings
from .opening_hours import ClosedMode, OpeningHours

#: The keys that stand in the place of a setting, and that setting.
IN_PLACE_OF: Mapping[str, str] = {
    "ai_provider": "ai_provider",
    "base_url": "ai_base_url",
    "model": "ai_model",
    "max_tokens": "ai_max_tokens",
    "extra": "ai_extra",
    "system_prompt_path": "ai_system_prompt_path",
    "fallback_text": "reply_fallback_text",
    "hand_over_text": "hand_over_text",
    "opt_out_text": "opt_out_text",
    "opt_in_text": "opt_in_text",
    "help_text": "help_text",
    "voice_text": "voice_text",
    "voice_language": "voice_language",
    "voice_reply_text": "voice_reply_text",
}

#: A number with its country, or a short code; and what people write when they mean one.
_NUMBER = re.compile(r"\+[0-9]{7,15}|[0-9]{3,8}")
_MEANT_AS_NUMBER = re.compile(r"[+0-9(][0-9 ().+-]*")


def _address(value: Any) -> str:
    address = value.strip() if isinstance(value, str) else ""
    channel, _, name = address.rpartition(":")
    if not name:
        raise ValueError("must be an address such as whatsapp:+15005550006, in quotes")
    if channel in {"", "whatsapp"} and _MEANT_AS_NUMBER.fullmatch(name) and not _NUMBER.fullmatch(name):
        raise ValueError(f"{address} is no number: write it with + and its country, without spaces")
    if not channel and name.startswith("MG") and not re.fullmatch(r"MG[0-9a-f]{32}", name):
        raise ValueError(f"{address} is no Messaging Service: its SID has MG and 32 hexadecimal digits")
    return address


def _timezone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (
        KeyError,
        TypeError,
        ValueError,
        OSError,
    ):  # a name that is none, or that leads out of the database
        raise ValueError(_unknown_timezone(str(value))) from None


def _unknown_timezone(name: str) -> str:
    known = available_timezones()
    if not known:
        return "this system has no time zones: install the system's tzdata, or `pip install tzdata`"
    meant = _meant(name, known) or "; they have names such as America/Sao_Paulo"
    return f"{name!r} is no time zone{meant}"


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError("must be a BCP 47 tag such as pt-BR")
    return value


def _openings(value: Any) -> tuple[OpenTime, ...]:
    if not isinstance(value, str):
        raise ValueError("must be a text such as mon-fri 09:00-18:00")  # noqa: TRY004  pydantic's protocol
    return read_openings(value)


class HoursTable(BaseModel):
    """`[NAME.hours]`."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)

    timezone: Annotated[ZoneInfo, PlainValidator(_timezone)]
    open: Annotated[list[Annotated[tuple[OpenTime, ...], PlainValidator(_openings)]], Field(min_length=1)]
    closed_dates: list[Annotated[date, Field(strict=False)]] = []
    closed_mode: ClosedMode = "text"
    closed_text: str = ""

    def as_hours(self) -> OpeningHours:
        """Make opening hours of it."""
        return OpeningHours(
            timezone=self.timezone,
            openings=tuple(opening for openings in self.open for opening in openings),
            closed_dates=frozenset(self.closed_dates),
            closed_mode=self.closed_mode,
            closed_text=self.closed_text.strip(),
        )


class ProfileTable(BaseModel):
    """`[NAME]`, without the keys that stand in the place of a setting."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    addresses: Annotated[list[Annotated[str, PlainValidator(_address)]], Field(min_length=1)]
    system_prompt: Annotated[str, Field(min_length=1)] | None = None
    #: In capitals, so that a key that was put in its place is not taken for a name, and repeated in an error.
    api_key_env: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = None
    language: Annotated[str, AfterValidator(_language)] | None = None
    hours: HoursTable | None = None


#: All keys of a profile, and of its hours: what a misspelt one may have meant.
KEYS = (*IN_PLACE_OF, *ProfileTable.model_fields)


def explain(error: ValidationError) -> Iterator[str]:
    """Yield what is wrong, a line each, by the keys of the file. No value is repeated but those of hours."""
    for detail in error.errors(include_input=False, include_url=False):
        place = [part for part in detail["loc"] if not isinstance(part, int)]
        numbers = [part + 1 for part in detail["loc"] if isinstance(part, int)]
        key = ".".join(map(str, place)) + (f", entry {numbers[0]}" if numbers else "")
        if detail["type"] == "extra_forbidden":
            known = HoursTable.model_fields if place[0] == "hours" and len(place) > 1 else KEYS
            yield f"{key}: there is no such key{_meant(str(place[-1]), known)}"
        elif detail["type"] == "string_pattern_mismatch":
            yield f"{key}: must be the name of an environment variable, in capitals, and not the key itself"
        else:
            yield f"{key}: {detail['msg'].removeprefix('Value error, ')}"


def _meant(name: str, known: Any) -> str:
    """Say which name may have been meant, if there is one."""
    return "".join(f"; did you mean {close}?" for close in get_close_matches(name, known, n=1))
