"""Somebody calls the number."""

from __future__ import annotations

import secrets
from xml.etree import ElementTree

import httpx
import pytest

from ops.webhook import MESSAGES_PATH, signed
from tests.support.system import PUBLIC_URL, SMS_ADDRESS, System

from .conftest import MakeSystem

VOICE_PATH = "/webhooks/twilio/voice"


def a_call(system: System, caller: str, **more: str) -> dict[str, str]:
    return {
        "AccountSid": system.settings["TWILIO_ACCOUNT_SID"],
        "ApiVersion": "2010-04-01",
        "CallSid": "CA" + secrets.token_hex(16),
        "CallStatus": "ringing",
        "Called": SMS_ADDRESS,
        "Caller": caller,
        "Direction": "inbound",
        "From": caller,
        "To": SMS_ADDRESS,
        **more,
    }


def post(
    system: System, call: dict[str, str], path: str = VOICE_PATH, *, auth_token: str | None = None
) -> httpx.Response:
    token = auth_token or system.settings["TWILIO_AUTH_TOKEN"]
    body, headers = signed(PUBLIC_URL + path, call, auth_token=token)
    return system.http.post(system.url + path, content=body, headers=headers)


def test_a_caller_hears_a_text_and_the_call_is_in_the_conversation(make_system: MakeSystem) -> None:
    system = make_system(VOICE_TEXT='Escreva "Oi" & espere', VOICE_REPLY_TEXT="Oi! Como podemos ajudar?")
    system.api()
    system.worker()
    contact = system.contact("")
    call = a_call(system, contact)

    for _ in range(2):
        answer = post(system, call)
        assert answer.status_code == 200
        [say] = ElementTree.fromstring(answer.text)  # noqa: S314  ours
        assert (say.tag, say.text, say.get("language")) == ("Say", 'Escreva "Oi" & espere', "pt-BR")
    system.settle()

    assert system.twilio.bodies_to(contact) == ["Oi! Como podemos ajudar?"]
    [summary] = system.conversations.reader.conversations(contact=contact)
    thread = system.conversations.reader.thread(summary.conversation)
    assert [entry.text for entry in thread] == [
        "[called, and was asked to write instead]",
        "Oi! Como podemos ajudar?",
    ]


def test_a_caller_is_sent_nothing_unless_a_setting_says_so(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    system.worker()
    contact = system.contact("")

    assert post(system, a_call(system, contact)).status_code == 200
    system.settle()

    assert system.twilio.bodies_to(contact) == []


@pytest.mark.parametrize(
    ("path", "change", "status", "says"),
    [
        (MESSAGES_PATH, {}, 400, "Calls go to /webhooks/twilio/voice"),
        (VOICE_PATH, {"CallSid": ""}, 400, "lacks"),
        (VOICE_PATH, {"CallSid": "CA1"}, 400, "CallSid has to be"),
        (VOICE_PATH, {"CallStatus": "completed"}, 200, "<Response/>"),
        (VOICE_PATH, {"MessageSid": "SM" + "0" * 32}, 400, "Messages go to"),
    ],
)
def test_what_is_no_call_is_answered_with_a_reason(
    make_system: MakeSystem, path: str, change: dict[str, str], status: int, says: str
) -> None:
    system = make_system()
    system.api()

    answer = post(system, a_call(system, system.contact(""), **change), path)

    assert answer.status_code == status
    assert says in answer.text
    assert system.waiting() == 0


def test_a_call_that_is_not_signed_is_refused(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    answer = post(system, a_call(system, system.contact("")), auth_token="another")
    assert answer.status_code == 403
