"""Processes die at the worst moments. The contact notices nothing, but for the wait."""

from __future__ import annotations

from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from actors.channels.twilio.inbound import read
from tests.support.system import Program, System
from tests.support.waiting import eventually

from .conftest import MakeSystem
from .responders import ASKED, MAY_DIE


def test_the_api_dies_right_after_its_answer(make_system: MakeSystem) -> None:
    system = make_system()
    contact = system.contact()
    api = system.api()
    system.write("Oi", sender=contact)
    api.kill()

    system.worker()
    system.settle()

    assert system.twilio.bodies_to(contact) == ["[echo, not an AI] Oi"]


def test_a_worker_dies_while_the_model_thinks(
    front: System, llmock: LLMock, llmock_server: LLMockServer
) -> None:
    contact = front.contact()
    llmock.delay(30)
    worker = front.worker()
    front.write("Oi", sender=contact)
    eventually(lambda: not llmock_server.state.scenarios.pending())  # it is being served
    worker.kill()

    llmock.reply("Olá!")
    front.worker()
    front.settle()

    assert front.twilio.bodies_to(contact) == ["Olá!"]


def test_what_came_in_while_a_dead_worker_held_the_conversation_is_answered(
    front: System, llmock: LLMock, llmock_server: LLMockServer
) -> None:
    contact = front.contact()
    llmock.delay(30)
    worker = front.worker()
    front.write("Oi", sender=contact)
    eventually(lambda: not llmock_server.state.scenarios.pending())
    front.write("Alguém aí?", sender=contact)
    eventually(lambda: front.waiting("messages") == 1)  # the second is done: it counts on the first
    worker.kill()

    front.worker()
    front.settle()

    assert len(front.twilio.sent_to(contact)) == 1
    prompt = llmock.last_request.body["messages"]
    assert [line["content"] for line in prompt[1:]] == ["Oi", "Alguém aí?"]


def test_a_worker_that_is_told_to_stop_finishes_what_it_runs(
    front: System, llmock: LLMock, llmock_server: LLMockServer
) -> None:
    contact = front.contact()
    llmock.delay(1)
    worker = front.worker()
    front.write("Oi", sender=contact)
    eventually(lambda: not llmock_server.state.scenarios.pending())

    assert worker.terminate() == 0
    assert front.waiting("messages") == 0

    front.worker()
    front.settle()
    assert len(front.twilio.sent_to(contact)) == 1
    assert len(llmock.requests) == 1


def test_a_worker_dies_between_the_written_reply_and_its_sending(front: System, llmock: LLMock) -> None:
    contact = front.contact()
    worker = front.worker("--queue", "messages")
    front.write("Oi", sender=contact)
    eventually(lambda: front.waiting("replies") == 1 and front.waiting("messages") == 0)
    worker.kill()
    assert front.twilio.sends == []

    front.worker()
    front.settle()

    assert len(front.twilio.sent_to(contact)) == 1
    assert len(llmock.requests) == 1, "the reply was written: no need to ask again"


def test_a_worker_dies_between_the_written_reply_and_the_enqueueing_of_its_sending(
    front: System, llmock: LLMock
) -> None:
    contact = front.contact()
    worker = front.dramatiq("-p", "1", "-t", "1", "tests.e2e.dies_before_sending")
    front.write("Oi", sender=contact)
    assert worker.wait() != 0
    assert front.twilio.sends == []

    front.worker()
    front.settle()

    assert len(front.twilio.sent_to(contact)) == 1
    assert len(llmock.requests) == 1, "the reply was written: no need to ask again"


def test_what_counted_on_a_message_that_kills_every_worker_is_answered(make_system: MakeSystem) -> None:
    """It waits while the killer may still succeed, uses up no retry, and takes over in the end."""
    system = make_system(
        AI_PROVIDER="tests.e2e.responders:lethal",
        LETHAL_RUNS="2",
        MESSAGE_MAX_RETRIES="0",
        QUEUE_MAX_DELIVERIES="2",
    )
    system.api()
    contact, others_sid = system.contact(), "SM" + "2" * 32
    other = read(system.parameters("", sender=contact, sid=others_sid)).message_id

    worker = system.worker()
    system.write("Oi", sender=contact)
    _has_asked(system, 1)
    system.write("Alguém aí?", sender=contact, sid=others_sid)
    eventually(lambda: system.waiting("messages") == 1)  # the second is done: it counts on the first
    _die(system, 1, worker)

    worker = system.worker()
    _has_asked(system, 2)
    system.worker()  # the first begins nothing else: the killer would not survive one more crash
    eventually(lambda: (stored := system.queue.get(other)) and stored.state == "delayed")  # it waits
    _die(system, 2, worker)
    system.settle()

    assert system.twilio.bodies_to(contact) == ["Alguém aí?"], "the killer is set aside, and spoils no other"
    [letter] = system.dead_letters()
    assert (letter.actor, letter.reason, letter.crashes) == ("process_ai_response", "max_deliveries", 2)


def test_the_contact_is_told_of_a_message_that_kills_every_worker(make_system: MakeSystem) -> None:
    system = make_system(
        AI_PROVIDER="tests.e2e.responders:lethal",
        LETHAL_RUNS="2",
        QUEUE_MAX_DELIVERIES="2",
        REPLY_FALLBACK_TEXT="A person will answer you.",
    )
    system.api()
    contact = system.contact()
    system.write("Oi", sender=contact)
    for run in (1, 2):
        worker = system.worker()
        _has_asked(system, run)
        _die(system, run, worker)

    system.worker()
    system.settle()

    assert system.twilio.bodies_to(contact) == ["A person will answer you."]
    [letter] = system.dead_letters()
    assert (letter.actor, letter.reason, letter.crashes) == ("process_ai_response", "max_deliveries", 2)


def _has_asked(system: System, run: int) -> None:
    eventually((system.directory / ASKED.format(run)).exists)


def _die(system: System, run: int, worker: Program) -> None:
    (system.directory / MAY_DIE.format(run)).touch()
    assert worker.wait() != 0
