"""Writes numbers, times and addresses for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from ..language.catalogue import gettext, plural
from ..language.languages import current


def translatable_plural(one: str, several: str) -> tuple[str, str]:
    """Return the two forms as they are, and mark them: the catalogues have them."""
    return one, several


#: Things that are counted, by their names in templates.
THINGS: Mapping[str, tuple[str, str]] = {
    "conversation": translatable_plural("{n} conversation", "{n} conversations"),
    "crash": translatable_plural("{n} crash", "{n} crashes"),
    "dead letter": translatable_plural("{n} dead letter", "{n} dead letters"),
    "dead message": translatable_plural("{n} dead message", "{n} dead messages"),
    "delayed message": translatable_plural("{n} delayed message", "{n} delayed messages"),
    "entry": translatable_plural("{n} entry", "{n} entries"),
    "file": translatable_plural("{n} file", "{n} files"),
    "masked entry": translatable_plural("{n} masked entry", "{n} masked entries"),
    "message": translatable_plural("{n} message", "{n} messages"),
    "note": translatable_plural("{n} note", "{n} notes"),
    "ready message": translatable_plural("{n} ready message", "{n} ready messages"),
    "reply": translatable_plural("{n} reply", "{n} replies"),
    "running message": translatable_plural("{n} running message", "{n} running messages"),
    "token": translatable_plural("{n} token", "{n} tokens"),
    "webhook": translatable_plural("{n} webhook", "{n} webhooks"),
}


#: The same, by their names in reports.
_SEVERAL = {several.removeprefix("{n} "): (one, several) for one, several in THINGS.values()}


def number(count: int | None) -> str:
    """Write a whole number, with its thousands separated."""
    return "–" if count is None else localized(f"{count:,}")


def localized(text: str) -> str:
    """Write a number that Python wrote as the reader's language does."""
    return current().number(text)


def quantity(count: int, what: str) -> str:
    """Write a number of things: 1 message, 2,000 messages; 1 reply, 2 replies.

    Parameters:
      count: how many.
      what: one of them, or several of them.
    """
    forms = THINGS.get(what) or _SEVERAL.get(what)
    return f"{number(count)} {what}" if forms is None else plural(*forms, count).format(n=number(count))


def duration(seconds: float) -> str:
    """Write a length of time, no finer than it matters: 4 s, 12 min, 3 h, 2 days."""
    if seconds < 1:
        return gettext("under 1 s")
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3_600:.0f} h"
    days = f"{seconds / 86_400:.0f}"
    return gettext("{days} days", days=days)


def relative_time(at_ms: int, now_ms: int) -> str:
    """Write how long ago a time was, or in how long it will be; both in milliseconds since the epoch."""
    seconds = (now_ms - at_ms) / 1000
    if abs(seconds) < 1:
        return gettext("now")
    if seconds > 0:
        return gettext("{time} ago", time=duration(seconds))
    return gettext("in {time}", time=duration(-seconds))


def utc(at_ms: int) -> str:
    """Write a date and time of UTC."""
    moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    return f"{current().date(moment)} {moment:%H:%M:%S} UTC"


def iso(at_ms: int) -> str:
    """Write a date and time as HTML's time element takes it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def day(iso_date: str) -> str:
    """Write a date that is written as ISO 8601 has it."""
    return current().date(date.fromisoformat(iso_date))


def size(number: float) -> str:
    """Write a number of bytes in MB."""
    return localized(f"{number / 1e6:,.0f}") + " MB"


def money(micros: int | None, currency: str) -> str:
    """Write an amount, given in millionths of a currency: with more digits where it is small."""
    if micros is None:
        return "–"
    amount = micros / 1_000_000
    places = 2 if amount == 0 or amount >= 1 else 4 if amount >= 0.01 else 6
    return f"{localized(f'{amount:,.{places}f}')} {currency}"


def amount(micros: int | None) -> str:
    """Write an amount, given in millionths of a currency, for a column of them: each with four decimals."""
    if micros is None:
        return "–"
    return localized("<0.0001" if 0 < micros < 50 else f"{micros / 1_000_000:,.4f}")


def channel(address: str) -> tuple[str, str]:
    """Split an address into its channel's name and the contact. Twilio's SMS addresses name no channel."""
    name, _, rest = address.rpartition(":")
    return {"whatsapp": "WhatsApp", "": "SMS"}.get(name, name), rest


def short_id(message_id: str) -> str:
    """Shorten a message's id by the account, which is the same in all of them."""
    account, _, sid = message_id.rpartition(".")
    return sid if account.startswith("AC") else message_id
