"""What all workers together may ask of the model, and what one of them hears for all."""

from __future__ import annotations

from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from tests.support.messages import stats_of
from tests.support.system import ADDRESS
from tests.support.waiting import eventually

from .conftest import MakeSystem, Settings


def test_a_killed_workers_calls_do_not_keep_the_others_from_asking(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock, llmock_server: LLMockServer
) -> None:
    """Its message runs again, and has its call already: no lease has to end before."""
    system = make_system(**model_settings, AI_MAX_CONCURRENT="1", REPLY_GATHER_MS="0")
    system.api()
    contact = system.contact()
    llmock.delay(30)
    worker = system.worker()
    system.write("Oi", sender=contact)
    eventually(lambda: not llmock_server.state.scenarios.pending())  # it is being served
    worker.kill()

    llmock.reply("Olá!")
    system.worker()
    system.settle()

    assert system.twilio.bodies_to(contact) == ["Olá!"]
    assert system.dead_letters() == []


def test_no_more_are_in_flight_in_all_workers_than_there_may_be(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock
) -> None:
    system = make_system(**model_settings, AI_MAX_CONCURRENT="2", REPLY_GATHER_MS="0")
    system.api()
    contacts = [system.contact() for _ in range(12)]
    llmock.delay(0.2, times=None)
    for contact in contacts:
        system.write("Oi", sender=contact)
    workers = [system.worker(), system.worker()]
    system.settle()

    assert all(len(system.twilio.bodies_to(contact)) == 1 for contact in contacts)
    assert len(llmock.requests) == len(contacts)
    begun = [request.started_at for request in llmock.requests]
    in_flight = [sum(each.started_at <= at < each.ended_at for each in llmock.requests) for at in begun]
    assert max(in_flight) <= 2, "each call is counted where one begins"
    assert system.metric("recado_ai_calls_put_off_total", why="full") > 0, "12 at once were too many"
    assert all(worker.is_alive() for worker in workers)


def test_a_pause_that_one_worker_hears_of_holds_for_all(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock
) -> None:
    system = make_system(**model_settings, REPLY_GATHER_MS="0")
    system.api()
    first, second = system.contact(), system.contact()
    llmock.rate_limit(retry_after=12)  # longer than a worker takes to start
    worker = system.worker()
    system.write("Oi", sender=first)
    eventually(lambda: stats_of(system.queue, "messages").delayed == 1)  # it was refused, and that is noted
    worker.kill()  # what it heard only another one can know now

    system.worker()
    system.write("Oi", sender=second, to=ADDRESS)
    system.settle()

    assert [request.status for request in llmock.requests] == [429, 200, 200]
    assert system.metric("recado_ai_calls_put_off_total", why="paused") > 0
    for contact in (first, second):
        assert len(system.twilio.bodies_to(contact)) == 1
