"""Writes numbers, times and addresses for people to read."""

from __future__ import annotations

from datetime import UTC, datetime


def quantity(number: int, what: str, several: str = "") -> str:
    """Write a number of things: 1 message, 2,000 messages; 1 reply, 2 replies."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def duration(seconds: float) -> str:
    """Write a length of time, no finer than it matters: 4 s, 12 min, 3 h, 2 days."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def relative_time(at_ms: int, now_ms: int) -> str:
    """Write how long ago a time was, or in how long it will be; both in milliseconds since the epoch."""
    seconds = (now_ms - at_ms) / 1000
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def utc(at_ms: int) -> str:
    """Write a date and time of UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(at_ms: int) -> str:
    """Write a date and time as HTML's time element takes it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def size(number: float) -> str:
    """Write a number of bytes in MB."""
    return f"{number / 1e6:,.0f} MB"


def channel(address: str) -> tuple[str, str]:
    """Split an address into its channel's name and the contact. Twilio's SMS addresses name no channel."""
    name, _, rest = address.rpartition(":")
    return {"whatsapp": "WhatsApp", "": "SMS"}.get(name, name), rest


def short_id(message_id: str) -> str:
    """Shorten a message's id by the account, which is the same in all of them."""
    account, _, sid = message_id.rpartition(".")
    return sid if account.startswith("AC") else message_id
