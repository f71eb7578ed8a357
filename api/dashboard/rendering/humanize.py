"""Numbers and times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime


def quantity(number: int, what: str) -> str:
    """1 message, 2,000 messages."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """A length of time, no finer than it matters: 4 s, 12 min, 3 h, 2 days."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def ago(at_ms: int, now_ms: int) -> str:
    """How long ago, or until when, for times in milliseconds since the epoch."""
    seconds = (now_ms - at_ms) / 1000
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def utc(at_ms: int) -> str:
    """The moment itself."""
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(at_ms: int) -> str:
    """The moment as HTML's time element takes it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def size(number: float) -> str:
    """Bytes, in MB."""
    return f"{number / 1e6:,.0f} MB"


def channel(address: str) -> tuple[str, str]:
    """By what a contact writes, and who it is: of Twilio's addresses, those without a channel are numbers."""
    name, _, rest = address.rpartition(":")
    return {"whatsapp": "WhatsApp", "": "SMS"}.get(name, name), rest


def short_id(message_id: str) -> str:
    """A message's id without the account, which is the same for all of them."""
    account, _, sid = message_id.rpartition(".")
    return sid if account.startswith("AC") else message_id
