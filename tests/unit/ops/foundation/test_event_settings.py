"""The settings of events are checked, and no error has a secret in it."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from ops.foundation.settings import EVENT_TYPES, Settings

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


def settings(**values: str) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com/hooks?token=a,b",
        "https://10.0.0.7:8443/hooks",
        "http://127.0.0.1:9000/hooks",
        "http://[::1]:9000/hooks",
        "http://localhost/hooks",
    ],
)
def test_urls(url: str) -> None:
    assert settings(events_url=url, events_secret=SECRET).events_url_list == [url]


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example.com/t0k3n",
        "http://10.0.0.7/t0k3n",
        "ftp://crm.example.com/t0k3n",
        "https:///t0k3n",
        "https://crm.example.com/t0k3n#part",
        "https://crm.example.com:port/t0k3n",
        "t0k3n",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValidationError, match="number 1 is none") as raised:
        settings(events_url=url, events_secret=SECRET)
    assert "t0k3n" not in str(raised.value)


def test_several_urls_and_keys() -> None:
    read = settings(
        events_url="https://a.example.com/x, https://b.example.com/y", events_secret=f"{SECRET},{SECRET}"
    )
    assert read.events_url_list == ["https://a.example.com/x", "https://b.example.com/y"]
    assert read.events_keys == [KEY, KEY]


@pytest.mark.parametrize(
    "secret", ["short", SECRET.removeprefix("whsec_"), "whsec_c2hvcnQ=", "whsec_%%%", f"{SECRET},x", ","]
)
def test_secrets_that_are_none(secret: str) -> None:
    with pytest.raises(ValidationError, match="must be whsec_ and 24 to 64 random bytes") as raised:
        settings(events_secret=secret)
    assert secret == "," or secret not in str(raised.value)


def test_a_url_needs_a_secret() -> None:
    with pytest.raises(ValidationError, match="EVENTS_SECRET is missing"):
        settings(events_url="https://a.example.com")


def test_which_events() -> None:
    assert settings().event_types == set(EVENT_TYPES)
    assert settings(events="reply.sent, reply.read").event_types == {"reply.sent", "reply.read"}
    with pytest.raises(ValidationError, match=r"there is no event reply\.sung, only message\.received, "):
        settings(events="reply.sent,reply.sung")
