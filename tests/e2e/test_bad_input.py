"""What is not a webhook of Twilio's is refused with a reason, counted, and goes no further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx
import pytest

from ops.webhook import MESSAGES_PATH, signed
from tests.support.system import PUBLIC_URL, System

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


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
    parameters = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    parameters.pop(missing, None)
    body, headers = signed(PUBLIC_URL + path, parameters, auth_token=front.twilio.auth_token)

    response = front.http.post(front.url + path, content=body, headers=headers)

    assert response.status_code == 400
    assert missing in response.text
    assert front.waiting() == 0


def test_a_status_callback_for_another_reply_than_it_was_signed_for_is_refused(front: System) -> None:
    path = "/webhooks/twilio/status?reply="
    parameters = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    body, headers = signed(PUBLIC_URL + path + "one", parameters, auth_token=front.twilio.auth_token)

    assert front.http.post(front.url + path + "another", content=body, headers=headers).status_code == 403
