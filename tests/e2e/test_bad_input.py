"""What is not a webhook of Twilio's is refused with a reason, counted, and goes no further."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from ops.webhook import MESSAGES_PATH, signed
from tests.support.system import PUBLIC_URL, SMS_ADDRESS, System

from .conftest import MakeSystem

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

#: A status callback, and where it goes.
STATUS = {"MessageSid": "SM" + "5" * 32, "MessageStatus": "delivered"}
STATUS_PATH = "/webhooks/twilio/status?reply=a-reply"


def post(front: System, content: bytes | Iterator[bytes], headers: Mapping[str, str]) -> httpx.Response:
    return front.http.post(front.url + MESSAGES_PATH, content=content, headers=dict(headers))


def signed_form(front: System, **changes: str) -> tuple[bytes, dict[str, str]]:
    parameters = front.parameters("Oi", sender=front.contact()) | changes
    return signed(PUBLIC_URL + MESSAGES_PATH, parameters, auth_token=front.twilio.auth_token)


def in_pieces(content: bytes) -> Iterator[bytes]:
    """Sent in chunks, without a Content-Length."""
    for start in range(0, len(content), 8192):
        yield content[start : start + 8192]


@pytest.mark.parametrize("way", ["at once", "in chunks"])
def test_a_body_over_the_limit_is_refused(front: System, way: str) -> None:
    before = front.metric("recado_webhooks_total", webhook="messages", outcome="too_large")
    body, headers = signed_form(front, Body="a" * 70_000)

    response = post(front, body if way == "at once" else in_pieces(body), headers)

    assert response.status_code == 413
    assert front.metric("recado_webhooks_total", webhook="messages", outcome="too_large") == before + 1
    assert front.waiting() == 0


def test_a_chunked_body_within_the_limit_is_accepted(front: System) -> None:
    body, headers = signed_form(front)

    assert post(front, in_pieces(body), headers).status_code == 200
    assert front.waiting() == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b"Body=%G1", FORM, id="an escape that is none"),
        pytest.param(b"Body=%FF", FORM, id="not UTF-8 once decoded"),
        pytest.param(b"Body=\xff", FORM, id="not UTF-8"),
        pytest.param(b"Body", FORM, id="no value"),
        pytest.param(b"Body=Oi", {"Content-Type": "text/plain"}, id="another type"),
        pytest.param(b"Body=Oi", {}, id="no type"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    front: System, body: bytes, headers: Mapping[str, str]
) -> None:
    before = front.metric("recado_webhooks_total", webhook="messages", outcome="broken")

    assert post(front, body, headers).status_code == 400

    assert front.metric("recado_webhooks_total", webhook="messages", outcome="broken") == before + 1
    assert front.waiting() == 0


@pytest.mark.parametrize("name", ["MessageSid", "AccountSid", "From", "To"])
def test_a_message_without_what_it_needs_is_refused(front: System, name: str) -> None:
    before = front.metric("recado_webhooks_total", webhook="messages", outcome="incomplete")
    body, headers = signed_form(front, **{name: ""})

    response = post(front, body, headers)

    assert response.status_code == 400
    assert name in response.text
    assert front.metric("recado_webhooks_total", webhook="messages", outcome="incomplete") == before + 1
    assert front.waiting() == 0


@pytest.mark.parametrize("number", ["²", "9" * 5000, "999999999", "-1", ""])
def test_a_strange_number_of_media_does_no_harm(front: System, number: str) -> None:
    body, headers = signed_form(front, NumMedia=number)

    assert post(front, body, headers).status_code == 200


@pytest.mark.parametrize(
    "signature", [None, "", "wrong", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "é".encode(), b"\xff" * 28]
)
def test_a_signature_that_is_none_is_refused(front: System, signature: str | bytes | None) -> None:
    before = front.metric("recado_webhooks_total", webhook="messages", outcome="bad_signature")
    body, headers = signed_form(front)
    del headers["X-Twilio-Signature"]
    headers_as_sent: list[tuple[bytes, bytes]] = [(k.encode(), v.encode()) for k, v in headers.items()]
    if signature is not None:
        value = signature if isinstance(signature, bytes) else signature.encode()
        headers_as_sent.append((b"X-Twilio-Signature", value))

    response = front.http.post(front.url + MESSAGES_PATH, content=body, headers=headers_as_sent)

    assert response.status_code == 403
    assert "PUBLIC_BASE_URL" in response.text, "it says what to look at"
    assert front.metric("recado_webhooks_total", webhook="messages", outcome="bad_signature") == before + 1
    assert front.waiting() == 0


def test_a_changed_body_is_refused(front: System) -> None:
    body, headers = signed_form(front)

    assert post(front, body.replace(b"Body=Oi", b"Body=Ola"), headers).status_code == 403
    assert front.waiting() == 0


@pytest.mark.parametrize("missing", ["MessageSid", "MessageStatus", "reply"])
def test_a_status_callback_without_what_it_needs_is_refused(front: System, missing: str) -> None:
    path = "/webhooks/twilio/status" + ("" if missing == "reply" else "?reply=a-reply")
    parameters = dict(STATUS)
    parameters.pop(missing, None)
    body, headers = signed(PUBLIC_URL + path, parameters, auth_token=front.twilio.auth_token)

    response = front.http.post(front.url + path, content=body, headers=headers)

    assert response.status_code == 400
    assert missing in response.text
    assert front.waiting() == 0


def test_a_status_callback_for_another_reply_than_it_was_signed_for_is_refused(front: System) -> None:
    path = "/webhooks/twilio/status?reply="
    body, headers = signed(PUBLIC_URL + path + "one", STATUS, auth_token=front.twilio.auth_token)

    assert front.http.post(front.url + path + "another", content=body, headers=headers).status_code == 403


def post_fields(front: System, path: str, fields: Sequence[tuple[str, str]]) -> httpx.Response:
    """Post a signed form, whose fields may be repeated."""
    validator = RequestValidator(front.twilio.auth_token)
    made = validator.compute_signature(PUBLIC_URL + path, ImmutableMultiDict(fields))
    headers = FORM | {"X-Twilio-Signature": made}
    return front.http.post(front.url + path, content=urlencode(fields).encode(), headers=headers)


def post_json(front: System, path: str, body: Mapping[str, Any] | str) -> httpx.Response:
    """Post signed JSON."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    query = ("&" if "?" in path else "?") + f"bodySHA256={hashlib.sha256(content).hexdigest()}"
    made = RequestValidator(front.twilio.auth_token).compute_signature(PUBLIC_URL + path + query, {})
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": made}
    return front.http.post(front.url + path + query, content=content, headers=headers)


@pytest.mark.parametrize("name", ["MessageSid", "AccountSid", "From", "To", "Body", "NumMedia", "MediaUrl0"])
def test_a_parameter_with_one_value_must_not_be_repeated(front: System, name: str) -> None:
    before = front.metric("recado_webhooks_total", webhook="messages", outcome="malformed")
    parameters = {"MediaUrl0": "https://media.example.com/1"} | front.parameters("Oi", sender=front.contact())

    response = post_fields(front, MESSAGES_PATH, [*parameters.items(), (name, parameters[name])])

    assert (response.status_code, name in response.text) == (400, True)
    assert front.metric("recado_webhooks_total", webhook="messages", outcome="malformed") == before + 1
    assert front.waiting() == 0


@pytest.mark.parametrize("name", list(STATUS))
def test_a_parameter_of_a_status_callback_must_not_be_repeated(front: System, name: str) -> None:
    response = post_fields(front, STATUS_PATH, [*STATUS.items(), (name, STATUS[name])])

    assert (response.status_code, name in response.text) == (400, True)
    assert front.waiting() == 0


@pytest.mark.parametrize("value", [5, 0.5, True, [], ["SM" + "5" * 32], {"a": 1}])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((MESSAGES_PATH, name) for name in ("MessageSid", "From", "Body", "MediaContentType0")),
        *((STATUS_PATH, name) for name in ("MessageSid", "MessageStatus", "ErrorCode")),
    ],
)
def test_json_with_anything_but_a_text_for_a_text_is_refused(
    front: System, path: str, name: str, value: object
) -> None:
    parameters = STATUS if path == STATUS_PATH else front.parameters("Oi", sender=front.contact())

    response = post_json(front, path, {**parameters, name: value})

    assert (response.status_code, name in response.text) == (400, True)
    assert front.waiting() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MessageSid", "SM1"),
        ("MessageSid", "MessageSid"),
        ("MessageSid", "XX" + "1" * 32),
        ("MessageSid", "SM" + "1" * 33),
        ("MessageSid", "SM" + "g" * 32),
        ("MessageSid", "SM" + "1" * 31 + "²"),
        ("MessageSid", "SM" + "1" * 32 + "\n"),
        ("MessageSid", "SM" + "1" * 31 + "\0"),
        ("AccountSid", "AC1"),
        ("AccountSid", "SM" + "1" * 32),
    ],
)
def test_a_sid_of_another_form_is_refused(front: System, name: str, value: str) -> None:
    body, headers = signed_form(front, **{name: value})

    response = post(front, body, headers)

    assert (response.status_code, "32 hexadecimal digits" in response.text) == (400, True)
    assert front.waiting() == 0


def test_the_sid_of_a_message_with_media_is_accepted(front: System) -> None:
    body, headers = signed_form(
        front, **dict.fromkeys(("MessageSid", "SmsMessageSid", "SmsSid"), "MM" + "1" * 32)
    )

    assert post(front, body, headers).status_code == 200
    assert front.waiting() == 1


@pytest.mark.parametrize(
    "changes", [{"MessageSid": "SM1"}, {"AccountSid": "AC1"}, {"MessageStatus": "DeliveredX"}]
)
def test_a_status_callback_of_another_form_is_refused(front: System, changes: Mapping[str, str]) -> None:
    response = post_fields(front, STATUS_PATH, list({**STATUS, **changes}.items()))

    assert (response.status_code, next(iter(changes)) in response.text) == (400, True)
    assert front.waiting() == 0


def test_a_signed_webhook_cannot_be_split_into_another_message(front: System) -> None:
    """A signature is made over names and values without anything between them."""
    parameters = front.parameters("Oi", sender=front.contact(channel=""), to=SMS_ADDRESS)
    _, headers = signed(PUBLIC_URL + MESSAGES_PATH, parameters, auth_token=front.twilio.auth_token)
    number = parameters.pop("NumMedia")
    parameters["MessageSid"] += f"NumMedia{number}"
    body, same_headers = signed(PUBLIC_URL + MESSAGES_PATH, parameters, auth_token=front.twilio.auth_token)
    assert headers == same_headers

    assert post(front, body, headers).status_code == 400
    assert front.waiting() == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/webhooks/twilio/messages/", 404),
        ("POST", "/webhooks/twilio/message", 404),
        ("GET", "/webhooks/twilio/messages", 405),
        ("PUT", "/webhooks/twilio/status", 405),
    ],
)
def test_a_near_miss_of_an_address_is_told_so(front: System, method: str, path: str, status: int) -> None:
    response = front.http.request(method, front.url + path)

    assert response.status_code == status
    assert "POST /webhooks/twilio/messages" in response.text
    assert "location" not in response.headers


def test_a_status_callback_at_the_messages_address_costs_no_model_call(front: System) -> None:
    parameters = front.parameters("Olá!", sender="whatsapp:+15005550006", to=front.contact())
    for status in ("sent", "delivered"):
        response = front.webhook(parameters | {"MessageStatus": status, "SmsStatus": status})
        assert (response.status_code, response.text) == (200, "<Response/>")

    assert front.metric("recado_webhooks_total", webhook="messages", outcome="status_callback") >= 2
    assert front.waiting() == 0
    [line] = [line for line in front.logged(event="webhook ignored") if line["outcome"] == "status_callback"]
    assert "/webhooks/twilio/status" in line["why"]


def test_a_public_address_with_a_path_works_with_and_without_the_path(make_system: MakeSystem) -> None:
    system = make_system(PUBLIC_BASE_URL="https://shop.example.com/recado")
    system.api()
    body, headers = signed(
        "https://shop.example.com/recado" + MESSAGES_PATH,
        system.parameters("Oi", sender=system.contact()),
        auth_token=system.settings["TWILIO_AUTH_TOKEN"],
    )
    for path in (MESSAGES_PATH, "/recado" + MESSAGES_PATH):
        assert system.http.post(system.url + path, content=body, headers=headers).status_code == 200
