"""People are told what needs them, whatever dies meanwhile, and once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.receiver import SECRET, FakeReceiver
from tests.support.system import System
from tests.support.waiting import eventually

from .conftest import MakeSystem


@pytest.fixture
def receiver() -> Iterator[FakeReceiver]:
    with FakeReceiver() as receiver:
        yield receiver


@pytest.fixture
def system(make_system: MakeSystem, receiver: FakeReceiver) -> System:
    return make_system(NOTIFY_URLS=receiver.url, NOTIFY_GROUP_MS="300", LOG_LEVEL="DEBUG")


def ask_for_a_person(system: System) -> str:
    contact = system.contact()
    system.write("ATENDENTE", sender=contact)
    return contact


def test_a_person_is_called_with_a_link_and_without_a_number(system: System, receiver: FakeReceiver) -> None:
    system.api()
    system.worker(NOTIFY_GROUP_MS="3000")
    contacts = [ask_for_a_person(system) for _ in range(3)]
    eventually(lambda: receiver.taken)
    system.settle()

    [notice] = receiver.taken
    assert notice.title == "A customer asks for a person (3 times)"
    for contact in contacts:
        assert f"whatsapp …{contact[-4:]}" in notice.text
        assert contact[-10:] not in notice.text
    links = [word for word in notice.text.split() if word.startswith("https://recado.example.com/dashboard/")]
    path = links[0].removeprefix("https://recado.example.com")
    assert len(links) == 3
    assert system.http.get(system.url + path).status_code == 200
    assert SECRET not in system.logs()
    told = system.logged(event="people were told")
    assert [line["events"] for line in told] == [3]
    assert told[0]["receiver"] == "json://••• (number 1)"


def test_a_receiver_that_is_away_is_told_once_when_it_is_back(system: System, receiver: FakeReceiver) -> None:
    system.api()
    system.worker()
    receiver.refuse()
    ask_for_a_person(system)
    eventually(lambda: receiver.refused >= 3)
    ask_for_a_person(system)
    refused = receiver.refused
    eventually(lambda: receiver.refused >= refused + 10)  # the second is with the first by then

    receiver.accept()
    system.settle()

    assert receiver.titles == ["A customer asks for a person (2 times)"]
    assert SECRET not in system.logs()


def test_workers_killed_between_the_event_and_its_notice(system: System, receiver: FakeReceiver) -> None:
    system.api()
    worker = system.worker(NOTIFY_GROUP_MS="6000")
    ask_for_a_person(system)
    eventually(lambda: system.waiting("notices") and system.waiting() == system.waiting("notices"))
    worker.kill()
    assert receiver.taken == []

    system.worker()
    eventually(lambda: receiver.taken)
    system.settle()

    assert receiver.titles == ["A customer asks for a person"]


def test_a_worker_killed_while_it_tells_tells_again(system: System, receiver: FakeReceiver) -> None:
    """It cannot be known whether the receiver took it. A notice too many is better than none."""
    system.api()
    receiver.refuse()
    worker = system.worker()
    contact = ask_for_a_person(system)
    # Killed while it sends what the contact gets for it, it would leave a second thing to tell of.
    eventually(lambda: [system.reply_of(each).state for each in system.twilio.sent_to(contact)] == ["sent"])
    assert receiver.knocked.wait(20)
    worker.kill()
    receiver.accept()

    system.worker()
    system.settle()

    assert receiver.titles == ["A customer asks for a person"]


def test_customers_who_got_no_answer_are_told_of(system: System, receiver: FakeReceiver) -> None:
    system.api()
    system.worker()
    undelivered, failed = system.contact(), system.contact()
    system.write("Oi", sender=undelivered)
    system.settle()
    [message] = system.twilio.sent_to(undelivered)
    system.twilio.report(message, "undelivered", through=system.url, error_code=63016)
    system.twilio.refuse(400, 21211)
    system.write("Oi", sender=failed)
    unanswered = system.parameters("Oi", sender=system.contact())
    system.enqueue("messages", "process_ai_response", unanswered, age_ms=2 * 3_600_000)
    system.settle()

    assert "No answer could be produced\nThe message is a dead letter" in receiver.text
    assert f"whatsapp …{unanswered['From'][-4:]}" in receiver.text
    assert f"whatsapp …{undelivered[-4:]}: Twilio's error 63016" in receiver.text
    assert f"whatsapp …{failed[-4:]}: Twilio answered 400, error 21211" in receiver.text
    assert failed[-10:] not in receiver.text, "Twilio's error quotes the number"


def test_the_doctor_tells_each_url_and_shows_none(make_system: MakeSystem, receiver: FakeReceiver) -> None:
    system = make_system(NOTIFY_URLS=f"{receiver.url} json://127.0.0.1:1/{SECRET}")
    ended = system.run("doctor", "--notify")

    assert "ok   json://••• (number 1) takes a notice" in ended.stdout
    assert "FAIL json://••• (number 2) takes a notice" in ended.stdout
    assert SECRET not in ended.stdout + ended.stderr
    assert receiver.titles == ["Recado can tell you"]


def test_wrong_urls_are_listed_at_start(make_system: MakeSystem) -> None:
    system = make_system(NOTIFY_URLS=f"slack://{SECRET}")
    for command in (("worker",), ("api",), ("doctor",)):
        ended = system.run(*command)
        assert ended.returncode != 0
        assert "slack://••• (number 1)" in ended.stdout + ended.stderr
        assert SECRET not in ended.stdout + ended.stderr


def test_refused_webhooks_are_told_past_the_queue(system: System, receiver: FakeReceiver) -> None:
    system.api()
    parameters = system.parameters("Oi", sender=system.contact())
    token, system.settings["TWILIO_AUTH_TOKEN"] = system.settings["TWILIO_AUTH_TOKEN"], "not Twilio's"
    for _ in range(3):
        assert system.webhook(parameters).status_code == 403
    system.settings["TWILIO_AUTH_TOKEN"] = token
    eventually(lambda: receiver.taken, within_s=60)

    assert receiver.titles == ["Webhooks are refused"]
    eventually(lambda: system.metric("recado_notices_total", outcome="told") == 1)
