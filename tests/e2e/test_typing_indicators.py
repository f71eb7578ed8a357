"""A WhatsApp contact sees that an answer is being written, and no reply depends on it."""

from __future__ import annotations

import pytest
from llmock.pytest_plugin import LLMock

from tests.support.system import PATIENCE_S, SMS_ADDRESS, System
from tests.support.waiting import eventually

from .conftest import MakeSystem, Settings

ON = {"TWILIO_TYPING_INDICATOR": "true"}


@pytest.fixture
def system(make_system: MakeSystem, model_settings: Settings, llmock: LLMock) -> System:
    """An API at work, and a model that answers."""
    system = make_system(**model_settings, **ON)
    system.api()
    llmock.reply("Olá!", times=9)
    return system


def typed(system: System) -> list[str]:
    """The messages that the contact saw being answered."""
    return [each.form["messageId"] for each in system.twilio.indicators]


def outcomes(system: System) -> dict[str, float]:
    kinds = ("shown", "refused", "failed", "left_out")
    counts = {each: system.metric("recado_typing_indicators_total", outcome=each) for each in kinds}
    return {outcome: count for outcome, count in counts.items() if count}


def test_a_burst_has_one_that_names_its_latest_message(system: System) -> None:
    contact = system.contact()
    sids = [f"SM{number:032x}" for number in (1, 2, 3)]
    for sid in sids:
        system.write("Oi", sender=contact, sid=sid)
    system.worker(REPLY_GATHER_MS="300")
    system.settle()

    assert len(system.twilio.sent_to(contact)) == 1
    eventually(lambda: outcomes(system) == {"shown": 1})
    assert [each.form for each in system.twilio.indicators] == [
        {"messageId": sids[-1], "channel": "whatsapp"}
    ]


def test_it_is_for_whatsapp_alone(system: System) -> None:
    contact = system.contact("")
    system.worker()
    system.write("Oi", sender=contact, to=SMS_ADDRESS)
    system.settle()

    assert len(system.twilio.sent_to(contact)) == 1
    assert outcomes(system) == {}


def test_a_reply_does_not_wait_for_one_that_hangs(system: System) -> None:
    gate = system.twilio.withhold_typing()
    contact = system.contact()
    system.worker()
    system.write("Oi", sender=contact)
    assert gate.reached.wait(PATIENCE_S)

    eventually(lambda: system.twilio.bodies_to(contact) == ["Olá!"], within_s=PATIENCE_S)

    eventually(lambda: outcomes(system) == {"failed": 1}, within_s=PATIENCE_S)
    gate.open()


@pytest.mark.parametrize(("status", "outcome"), [(500, "failed"), (404, "refused"), (400, "refused")])
def test_a_reply_does_not_fail_with_one(system: System, status: int, outcome: str) -> None:
    system.twilio.refuse_typing(status)
    contact = system.contact()
    worker = system.worker()
    system.write("Oi", sender=contact)
    system.settle()

    assert system.twilio.bodies_to(contact) == ["Olá!"]
    eventually(lambda: outcomes(system) == {outcome: 1})
    assert not [event for event in worker.events if event["level"] in {"warning", "error"}]


def test_twilio_is_not_asked_again_when_the_account_cannot(system: System) -> None:
    system.twilio.refuse_typing(403)
    system.worker()
    first, second = system.contact(), system.contact()
    system.write("Oi", sender=first)
    system.settle()
    eventually(lambda: outcomes(system) == {"refused": 1})
    system.write("Oi", sender=second)
    system.settle()

    assert len(system.twilio.messages) == 2
    eventually(lambda: outcomes(system) == {"refused": 1, "left_out": 1})
    assert len(typed(system)) == 1


def test_a_message_that_is_tried_again_has_one(system: System, llmock: LLMock) -> None:
    llmock.reset()
    llmock.fail(500, times=2)
    llmock.reply("Olá!")
    contact = system.contact()
    system.worker()
    system.write("Oi", sender=contact)
    system.settle()

    assert system.twilio.bodies_to(contact) == ["Olá!"]
    eventually(lambda: outcomes(system) == {"shown": 1})


def test_there_is_none_where_the_assistant_is_silent(system: System) -> None:
    contact = system.contact()
    system.worker(BLOCKED_ADDRESSES=contact)
    system.write("Oi", sender=contact)
    system.settle()

    assert (typed(system), outcomes(system)) == ([], {})


def test_it_is_asked_for_with_the_api_key(make_system: MakeSystem, model_settings: Settings) -> None:
    system = make_system(**model_settings, **ON)
    sid, secret = system.twilio.api_key()
    system.api()
    system.worker(TWILIO_API_KEY_SID=sid, TWILIO_API_KEY_SECRET=secret)
    system.write("Oi", sender=system.contact())
    system.settle()

    eventually(lambda: outcomes(system) == {"shown": 1})


def test_there_is_none_by_default(running: System) -> None:
    running.write("Oi", sender=running.contact())
    running.settle()

    assert len(running.twilio.messages) == 1
    assert typed(running) == []
