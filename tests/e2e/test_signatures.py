"""Signed webhooks through the real HTTP stack: over the public URL, whatever a proxy made of the request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from urllib.parse import urlencode

import httpx
import pytest
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import HMAC_SHA256, RequestValidator

from ops.webhook import MESSAGES_PATH
from tests.support.system import PUBLIC_URL, System

from .conftest import OLD_TOKEN, SHARED_KEY

Fields = list[tuple[str, str]]


def signature(front: System, fields: Fields, *, url: str = PUBLIC_URL + MESSAGES_PATH) -> str:
    validator = RequestValidator(front.twilio.auth_token)
    return str(validator.compute_signature(url, ImmutableMultiDict(fields)))


def post(
    front: System,
    fields: Fields,
    signature: str,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    return front.http.post(
        front.url + MESSAGES_PATH + query,
        content=urlencode(fields).encode(),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": signature,
            **(headers or {}),
        },
    )


def fields_of(front: System, *more: tuple[str, str]) -> Fields:
    return [*front.parameters("Oi & tchau, 50% é +1", sender=front.contact()).items(), *more]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "recado.example.com"},
        {"Host": "10.0.0.7:8080"},
        {"Host": "10.0.0.7", "X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "http"},
        {"Forwarded": "for=10.0.0.9;host=evil.example.com;proto=http", "X-Forwarded-Port": "81"},
    ],
    ids=["as it was", "rewritten", "forwarded", "forwarded, the standard's way"],
)
def test_what_a_proxy_makes_of_host_and_scheme_does_not_matter(
    front: System, headers: Mapping[str, str]
) -> None:
    fields = fields_of(front)

    assert post(front, fields, signature(front, fields), headers=headers).status_code == 200


def test_forwarded_headers_prove_nothing(front: System) -> None:
    fields = fields_of(front)
    forged = signature(front, fields, url="https://evil.example.com" + MESSAGES_PATH)

    headers = {"X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "https"}
    assert post(front, fields, forged, headers=headers).status_code == 403


@pytest.mark.parametrize("port", ["", ":443"])
def test_a_signature_may_be_made_with_the_port_and_without(front: System, port: str) -> None:
    fields = fields_of(front)
    made = signature(front, fields, url=f"{PUBLIC_URL}{port}{MESSAGES_PATH}")

    assert post(front, fields, made).status_code == 200


@pytest.mark.parametrize("query", ["?foo=1&bar=2", "?empty=", "?escaped=%C3%A9%20+%2F"])
def test_the_query_is_signed_as_it_is_written(front: System, query: str) -> None:
    fields = fields_of(front)
    made = signature(front, fields, url=PUBLIC_URL + MESSAGES_PATH + query)

    assert post(front, fields, made, query=query).status_code == 200
    assert post(front, fields, made, query=query + "&more=1").status_code == 403


@pytest.mark.parametrize(
    "more", [[("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")], [("Blank", "")], [("Novo", "1")]]
)
def test_repeated_blank_and_unknown_parameters_are_signed_too(front: System, more: Fields) -> None:
    fields = fields_of(front, *more)
    made = signature(front, fields)

    assert post(front, fields, made).status_code == 200
    assert post(front, fields[: -len(more)], made).status_code == 403


def test_the_token_before_the_rotation_is_still_good(front: System) -> None:
    fields = fields_of(front)
    made = RequestValidator(OLD_TOKEN).compute_signature(PUBLIC_URL + MESSAGES_PATH, dict(fields))

    assert post(front, fields, made).status_code == 200


@pytest.mark.parametrize(
    ("key", "status"), [(SHARED_KEY[0], 200), ("webhooks_sharedkey_2", 403)], ids=["known key", "unknown key"]
)
def test_a_signature_with_a_shared_key(front: System, key: str, status: int) -> None:
    fields = fields_of(front)
    validator = RequestValidator(SHARED_KEY[1])
    made = validator.compute_signature(PUBLIC_URL + MESSAGES_PATH, dict(fields), HMAC_SHA256)

    headers = {"X-Twilio-Webhooks-Signature-Settings": f"key={key},algorithm=HMAC_SHA256"}
    assert post(front, fields, made, headers=headers).status_code == status


@pytest.mark.parametrize("settings", ["algorithm=HMAC_MD5", "key=", "nonsense", ",,=,", "algorithm"])
def test_strange_signature_settings_let_nobody_in_without_a_good_signature(
    front: System, settings: str
) -> None:
    headers = {"X-Twilio-Webhooks-Signature-Settings": settings}

    assert post(front, fields_of(front), "wrong", headers=headers).status_code == 403


def post_json(front: System, body: str, *, hashed: str | None = None, query: str = "") -> httpx.Response:
    """A JSON webhook, whose signature covers a hash of the body in the URL."""
    digest = hashlib.sha256((body if hashed is None else hashed).encode()).hexdigest()
    query = query or f"?bodySHA256={digest}"
    made = RequestValidator(front.twilio.auth_token).compute_signature(PUBLIC_URL + MESSAGES_PATH + query, {})
    return front.http.post(
        front.url + MESSAGES_PATH + query,
        content=body.encode(),
        headers={"Content-Type": "application/json; charset=utf-8", "X-Twilio-Signature": made},
    )


def test_a_json_body_is_signed_by_its_hash(front: System) -> None:
    body = json.dumps(front.parameters("Olá", sender=front.contact()), ensure_ascii=False)

    assert post_json(front, body).status_code == 200


def test_a_json_body_that_does_not_fit_its_hash_is_refused(front: System) -> None:
    body = json.dumps(front.parameters("Olá", sender=front.contact()))

    assert post_json(front, body, hashed=body + " ").status_code == 403


def test_a_json_body_without_a_hash_is_refused(front: System) -> None:
    assert post_json(front, "{}", query="?foo=1").status_code == 403


@pytest.mark.parametrize("body", ["{", "[]", "5", '"text"', "{}", '{"MessageSid": 5}', '{"MessageSid": []}'])
def test_signed_json_that_is_no_message_is_refused_with_a_reason(front: System, body: str) -> None:
    assert post_json(front, body).status_code == 400
