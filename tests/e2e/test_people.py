"""A person of the shop answers in place of the assistant."""

from __future__ import annotations

import json

from llmock.pytest_plugin import LLMock

from tests.support.system import System
from tests.support.waiting import eventually

from .conftest import MakeSystem, Settings


def ran(system: System, *arguments: str) -> str:
    ended = system.run(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_taken_over_answered_by_hand_and_handed_back(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    system.worker()
    contact = system.contact()

    system.write("Oi", sender=contact)
    system.settle()
    ran(system, "conversations", "take", contact, "--by", "Ana")
    system.write("Tem vaga às 15h?", sender=contact)
    ran(system, "say", contact, "Tem sim!", "--by", "Ana", "--key", "vaga")
    ran(system, "say", contact, "Tem sim!", "--by", "Ana", "--key", "vaga")
    system.settle()

    assert system.twilio.bodies_to(contact)[1:] == ["Tem sim!"]
    shown = json.loads(ran(system, "conversations", "show", contact, "--json"))
    assert (shown["mode"], shown["mode_reason"]) == ("person", "taken over by Ana")
    said = [(entry["text"], entry["written_by"]) for entry in shown["thread"] if entry["text"]]
    assert said[-2:] == [("Tem vaga às 15h?", None), ("Tem sim!", "Ana")]

    ran(system, "conversations", "hand-back", contact)
    system.write("Obrigado", sender=contact)
    system.settle()
    assert len(system.twilio.bodies_to(contact)) == 3


def test_a_worker_killed_between_the_word_and_its_sending_sends_it_once(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    worker = system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    ran(system, "queues", "pause", "replies")
    ran(system, "say", contact, "Aqui é a Ana", "--take")
    eventually(lambda: system.waiting("replies"))

    worker.kill()
    system.worker()
    ran(system, "queues", "resume", "replies")
    system.settle()

    assert system.twilio.bodies_to(contact)[1:] == ["Aqui é a Ana"]


def test_what_cannot_be_done_is_said(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    system.worker()
    first, second = system.contact(), system.contact()
    for contact in (first, second):
        system.write("Oi", sender=contact)
    system.write("PARAR", sender=second)
    system.settle()

    unknown = system.run("say", "+5511999999999", "Oi")
    several = system.run("conversations", "take", "+55")
    opted_out = system.run("conversations", "take", second)
    empty = system.run("say", first, " ")

    assert (unknown.returncode, unknown.stderr) == (1, "No contact's number has '+5511999999999' in it.\n")
    assert several.returncode == 1
    assert first in several.stderr
    assert second in several.stderr
    assert opted_out.returncode == 1
    assert "opted out" in opted_out.stderr
    assert empty.returncode == 1
    assert "empty" in empty.stderr


def test_the_model_sees_what_the_person_said(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock
) -> None:
    system = make_system(**model_settings)
    system.api()
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    ran(system, "say", contact, "Aqui é a Ana: temos vaga às 15h", "--take")
    system.settle()
    ran(system, "conversations", "hand-back", contact)
    system.write("Fechado", sender=contact)
    system.settle()

    asked = llmock.requests[-1].body["messages"]
    assert [each["content"] for each in asked[-2:]] == ["Aqui é a Ana: temos vaga às 15h", "Fechado"]
    assert asked[-2]["role"] == "assistant"


def test_the_shop_writes_first_and_by_a_template(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    system.worker()
    contact, address = system.contact(), "whatsapp:+15005550006"
    template = "HX" + "1" * 32
    system.write("Oi", sender=system.contact())
    system.settle()

    for _ in range(2):
        ran(system, "say", contact, "Oi Bia", "--from", address, "--key", "oi", "--by", "Ana")
    ran(system, "say", contact, "Até!", "--template", template, "--var", "1=Bia", "--var", "2=10h")
    system.settle()

    first, second = system.twilio.sent_to(contact)
    assert (first.body, first.address) == ("Oi Bia", address)
    assert (second.content_sid, json.loads(second.content_variables or "")) == (
        template,
        {"1": "Bia", "2": "10h"},
    )
    shown = json.loads(ran(system, "conversations", "show", contact, "--json"))
    assert [entry["text"] for entry in shown["thread"]] == ["Oi Bia", "Até!"]


def test_what_needs_attention_is_listed_and_decided(make_system: MakeSystem) -> None:
    system = make_system()
    api = system.api()
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    assert "Nobody waits" in ran(system, "attention")
    [message] = system.twilio.sent_to(contact)
    system.twilio.report(message, "undelivered", through=api.url, error_code=30008)
    system.settle()

    [entry] = json.loads(ran(system, "attention", "--json"))["entries"]
    assert entry["state"] == "undelivered"
    assert "30008" in ran(system, "attention")
    ran(system, "decide", entry["entry_id"], "again", "--by", "Ana")
    system.settle()
    again = system.run("decide", entry["entry_id"], "again")

    assert len(system.twilio.bodies_to(contact)) == 2
    assert (again.returncode, "nothing to decide" in again.stderr) == (1, True)
    assert "Nobody waits" in ran(system, "attention")
