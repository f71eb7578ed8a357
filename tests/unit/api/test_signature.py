"""Twilio's own signature vectors, and what its validator stumbles over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.datastructures import Headers
from twilio.request_validator import HMAC_SHA256, RequestValidator

from api.signature import SignatureCheck

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "twilio_signatures.json").read_text())
BASE = "https://recado.example.com"
FIELDS = [("Body", "Oi"), ("From", "+5511900001234")]


def is_valid(vector: dict[str, Any], *, tokens: list[str] | None = None, **changes: Any) -> bool:
    vector = vector | changes
    url = urlsplit(vector["url"])
    check = SignatureCheck(f"{url.scheme}://{url.netloc}", tokens or [VECTORS["auth_token"]], {})
    content = vector["body"] if "body" in vector else [(name, value) for name, value in vector["params"]]
    headers = Headers({"x-twilio-signature": vector["signature"]})
    return check.is_valid(path=url.path, query=url.query, headers=headers, content=content)


each_vector = pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["name"])


@each_vector
def test_what_twilio_signs_is_valid(vector: dict[str, Any]) -> None:
    assert is_valid(vector)


@each_vector
def test_another_token_another_path_and_another_signature_are_not(vector: dict[str, Any]) -> None:
    assert not is_valid(vector, tokens=["54321"])
    assert not is_valid(vector, url=vector["url"].replace("myapp", "yourapp"))
    assert not is_valid(vector, signature=vector["signature"].swapcase())


@each_vector
def test_another_body_is_not(vector: dict[str, Any]) -> None:
    if "body" in vector:
        assert not is_valid(vector, body=vector["body"] + " ")
    else:
        assert not is_valid(vector, params=[*vector["params"], ["More", "1"]])


@each_vector
def test_any_of_several_tokens_will_do(vector: dict[str, Any]) -> None:
    assert is_valid(vector, tokens=["54321", VECTORS["auth_token"]])


# -- requests of our own -------------------------------------------------------------------------------


def sign(
    path: str = "/webhook", *, token: str = "token", base: str = BASE, algorithm: str = "HMAC_SHA1"
) -> str:
    return str(RequestValidator(token).compute_signature(base + path, dict(FIELDS), algorithm))


def check(headers: dict[str, str], *, base: str = BASE, query: str = "", content: Any = FIELDS) -> bool:
    signatures = SignatureCheck(base, ["token"], {"key-1": "shared"})
    return signatures.is_valid(path="/webhook", query=query, headers=Headers(headers), content=content)


@pytest.mark.parametrize("signature", [None, "", "wrong", "é", "\x00", "a" * 28])
def test_a_signature_that_is_none_is_invalid_and_no_error(signature: str | None) -> None:
    assert not check({} if signature is None else {"x-twilio-signature": signature})


def test_the_public_url_may_have_a_path() -> None:
    base = BASE + "/recado"

    assert check({"x-twilio-signature": sign(base=base)}, base=base)
    assert not check({"x-twilio-signature": sign()}, base=base)


@pytest.mark.parametrize("query", ["", "foo=1", "bodySHA256=", "#&bodySHA256=1"])
def test_a_json_body_needs_a_hash_in_the_url(query: str) -> None:
    url = f"/webhook?{query}" if query else "/webhook"
    signature = RequestValidator("token").compute_signature(BASE + url, {})

    assert not check({"x-twilio-signature": signature}, query=query, content="{}")


@pytest.mark.parametrize(
    ("settings", "token", "valid"),
    [
        ("key=key-1,algorithm=HMAC_SHA256", "shared", True),
        (" key = key-1 , algorithm = HMAC_SHA256 ", "shared", False),
        ("key=key-2,algorithm=HMAC_SHA256", "shared", False),
        ("key=key-1,algorithm=HMAC_SHA256", "token", False),
        ("algorithm=HMAC_SHA256", "token", True),
        ("key=key-1,algorithm=HMAC_MD5", "shared", False),
        ("key=,algorithm=HMAC_SHA256", "token", False),
        (",,=,nonsense", "shared", False),
    ],
)
def test_shared_keys(settings: str, token: str, valid: bool) -> None:
    headers = {
        "x-twilio-signature": sign(token=token, algorithm=HMAC_SHA256),
        "x-twilio-webhooks-signature-settings": settings,
    }

    assert check(headers) is valid
