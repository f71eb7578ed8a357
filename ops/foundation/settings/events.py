"""Events to other systems: where they go, how they are signed, and which."""

from __future__ import annotations

import base64
import binascii
from ipaddress import ip_address
from typing import Literal, get_args

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator

from .section import Section, listed, parts, split_url, urls

#: Stored names: receivers know them.
EventType = Literal[
    "message.received",
    "message.failed",
    "reply.sent",
    "reply.delivered",
    "reply.read",
    "reply.failed",
    "reply.cancelled",
    "conversation.handed_over",
    "conversation.handed_back",
    "conversation.opted_out",
    "conversation.opted_in",
]

EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

#: How a secret of Standard Webhooks begins, and how many bytes it has, at least and at most.
SECRET_PREFIX, SECRET_BYTES = "whsec_", (24, 64)


class EventSettings(Section):
    """Events to other systems."""

    events_url: SecretStr | None = Field(
        None,
        description="where events are sent, by URLs that begin with https://, separated by commas or spaces",
    )
    events_secret: SecretStr | None = Field(
        None,
        description="signs events: whsec_ and 24 to 64 bytes in base64; several, separated by commas, while "
        "rotating",
    )
    events: str | None = Field(
        None, description="which events are sent, separated by commas, such as reply.sent; all when not set"
    )
    events_timeout_s: PositiveFloat = Field(
        10.0, description="longest wait for a receiver's connection, and for its answer, in seconds"
    )
    events_max_age_ms: PositiveInt = Field(
        86_400_000,
        description="an event that was not taken for so long becomes a dead letter, in milliseconds",
    )

    @field_validator("events_url")
    @classmethod
    def _are_urls_of_receivers(cls, value: SecretStr | None) -> SecretStr | None:
        """The error quotes none of them: a URL may have a token in it."""
        wrong = [f"number {number}" for number, url in enumerate(urls(value), 1) if not _may_be_sent_to(url)]
        if wrong or (value is not None and not urls(value)):
            named = f", and {', '.join(wrong)} is none" if wrong else ""
            raise ValueError(
                "must be URLs that begin with https://, without a fragment; http:// leads only to this "
                f"machine, such as http://127.0.0.1:9000/events{named}"
            )
        return value

    @field_validator("events_secret")
    @classmethod
    def _are_secrets_of_events(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all(map(_is_secret, listed(value) or [""])):
            raise ValueError(
                f"must be {SECRET_PREFIX} and {SECRET_BYTES[0]} to {SECRET_BYTES[1]} random bytes in base64; "
                "docs/events.md has a command that makes one"
            )
        return value

    @field_validator("events")
    @classmethod
    def _are_types_of_events(cls, value: str | None) -> str | None:
        wrong = [name for name in parts(value) if name not in EVENT_TYPES]
        if wrong:
            known = ", ".join(EVENT_TYPES)
            raise ValueError(f"there is no event {', '.join(wrong)}, only {known}")
        return value

    def problems_of_events(self) -> list[str]:
        """What is missing for events to be signed."""
        if self.events_url is None or self.events_secret is not None:
            return []
        return ["EVENTS_SECRET is missing: events to EVENTS_URL are signed with it"]

    @property
    def events_url_list(self) -> list[str]:
        """The URLs that events are sent to."""
        return urls(self.events_url)

    @property
    def events_keys(self) -> list[bytes]:
        """What events are signed with: each gives a signature."""
        return [base64.b64decode(secret.removeprefix(SECRET_PREFIX)) for secret in listed(self.events_secret)]

    @property
    def event_types(self) -> frozenset[str]:
        """The events that are sent."""
        return frozenset(parts(self.events) or EVENT_TYPES)


def _may_be_sent_to(url: str) -> bool:
    try:
        split = split_url(url)
    except ValueError:
        return False
    if not split.hostname or split.fragment:
        return False
    return split.scheme == "https" or (split.scheme == "http" and _is_loopback(split.hostname))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_secret(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(SECRET_PREFIX) and SECRET_BYTES[0] <= len(key) <= SECRET_BYTES[1]
