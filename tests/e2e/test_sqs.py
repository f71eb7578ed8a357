"""The whole way through SQS, and what happens there that happens on no engine of Recado's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from tests.fakes.twilio import FakeTwilio
from tests.support.messages import stats_of
from tests.support.ports import free_port
from tests.support.sqs_server import AWS, REGION, SQSServer
from tests.support.system import System
from tests.support.waiting import eventually

from .conftest import FALLBACK, MakeSystem, Settings
from .responders import MAY_DIE

#: How long SQS waits for a sign of life of a worker, here, in seconds.
VISIBILITY_S = 3

#: How long it may take until all is answered, in seconds. Generous: a deadline, not a measure.
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQSServer]:
    with SQSServer(tmp_path_factory.mktemp("sqs")) as server:
        yield server


@pytest.fixture
def engine(sqs: SQSServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings for SQS, with queues of the test's own."""
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)  # for the tests' own look at the queues
    return {
        **AWS,
        "QUEUE_BACKEND": "sqs",
        "SQS_ENDPOINT_URL": sqs.url,
        "SQS_NAMESPACE": re.sub(r"[^a-z]", "-", request.node.name)[-40:],
        "SQS_REGION": REGION,
        "SQS_VISIBILITY_TIMEOUT_S": str(VISIBILITY_S),
    }


def settle(system: System) -> None:
    eventually(lambda: system.waiting() == 0, within_s=PATIENCE_S, every_s=0.1)


def dead_letters(sqs: SQSServer, system: System, queue: str) -> list[dict[str, Any]]:
    """What is in a queue's queue of dead letters. Received, they are hidden for a while."""
    client = sqs.client()
    url = client.get_queue_url(QueueName=f"{system.settings['SQS_NAMESPACE']}_{queue}_dlq")["QueueUrl"]
    found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    return list(found.get("Messages", []))


# -- the main path -------------------------------------------------------------------------------------


def test_a_message_gets_one_answer(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    system.worker()
    contact = system.contact()

    system.write("Oi", sender=contact)
    settle(system)

    [message] = system.twilio.sent_to(contact)
    assert message.body == "[echo, not an AI] Oi"
    assert system.reply_of(message).state == "sent"
    assert system.twilio.report(message, "delivered", through=system.url).status_code == 200
    settle(system)
    assert system.reply_of(message).delivery_status == "delivered"


def test_a_repeated_webhook_gets_no_second_answer(make_system: MakeSystem) -> None:
    """SQS keeps both. The conversation knows the message."""
    system = make_system()
    system.api()
    contact, sid = system.contact(), "SM" + "1" * 32
    for _ in range(5):
        system.write("Oi", sender=contact, sid=sid)
    assert system.waiting("messages") == 5

    system.worker()
    system.worker()
    settle(system)

    assert system.twilio.bodies_to(contact) == ["[echo, not an AI] Oi"]


def test_every_line_of_a_burst_is_answered_once(make_system: MakeSystem) -> None:
    system = make_system(REPLY_GATHER_MS="250", ECHO_DELAY_S="0.3")
    system.api()
    system.worker()
    system.worker()
    contact = system.contact()
    lines = [f"line {number}" for number in range(12)]

    for line in lines:
        system.write(line, sender=contact)
    settle(system)

    replies = system.twilio.bodies_to(contact)
    assert sorted(re.findall(r"line \d+", "\n".join(replies))) == sorted(lines)
    assert len(replies) <= 3, "one for what was gathered, and some for what came meanwhile"


def test_a_hundred_webhooks_wait_for_a_worker(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    contacts = [system.contact() for _ in range(100)]
    for contact in contacts:
        system.write("Oi", sender=contact)
    assert system.waiting("messages") == 100

    system.worker()
    settle(system)

    answered = [len(system.twilio.sent_to(contact)) for contact in contacts]
    assert answered == [1] * 100


# -- crashes -------------------------------------------------------------------------------------------


def test_a_worker_dies_while_the_model_thinks(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock, llmock_server: LLMockServer
) -> None:
    """It is answered once, when SQS has heard nothing of the worker for the visibility timeout."""
    system = make_system(**model_settings)
    system.api()
    contact = system.contact()
    llmock.delay(30)
    worker = system.worker()
    system.write("Oi", sender=contact)
    eventually(lambda: not llmock_server.state.scenarios.pending())  # it is being served
    worker.kill()

    llmock.reply("Olá!")
    system.worker()
    settle(system)

    assert system.twilio.bodies_to(contact) == ["Olá!"]


def test_a_long_thought_is_not_taken_for_a_death(make_system: MakeSystem) -> None:
    """The lease is renewed while the worker lives: nobody else gets the message."""
    system = make_system(ECHO_DELAY_S=str(2.5 * VISIBILITY_S))
    system.api()
    workers = [system.worker(), system.worker()]
    contact = system.contact()

    system.write("Oi", sender=contact)
    settle(system)

    assert system.twilio.bodies_to(contact) == ["[echo, not an AI] Oi"]
    assert "".join(worker.log for worker in workers).count('"event": "answered"') == 1


def test_a_message_that_kills_every_worker_is_set_aside(make_system: MakeSystem, sqs: SQSServer) -> None:
    system = make_system(
        AI_PROVIDER="tests.e2e.responders:lethal", LETHAL_RUNS="100", QUEUE_MAX_DELIVERIES="2"
    )
    for run in range(1, 101):
        (system.directory / MAY_DIE.format(run)).touch()
    system.api()
    system.write("Oi", sender=system.contact())
    died = 0

    def dead() -> int:
        return stats_of(system.queue, "messages").dead

    while not dead():
        worker = system.worker()
        eventually(lambda: dead() or not worker.is_alive(), within_s=PATIENCE_S)  # noqa: B023
        died += not worker.is_alive()

    assert 1 <= died <= 2
    [letter] = dead_letters(sqs, system, "messages")
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "max_deliveries"
    assert letter["MessageAttributes"]["actor"]["StringValue"] == "process_ai_response"


def test_a_worker_that_is_told_to_stop_finishes_what_it_runs_and_gives_back_the_rest(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock, llmock_server: LLMockServer
) -> None:
    system = make_system(**model_settings)
    system.api()
    llmock.delay(1)
    worker = system.worker("--threads", "1")
    contacts = [system.contact() for _ in range(3)]
    system.write("Oi", sender=contacts[0])
    eventually(lambda: not llmock_server.state.scenarios.pending())
    for contact in contacts[1:]:
        system.write("Oi", sender=contact)

    assert worker.terminate() == 0

    system.worker()
    settle(system)
    assert [len(system.twilio.sent_to(contact)) for contact in contacts] == [1, 1, 1]


# -- what fails for good -------------------------------------------------------------------------------


def test_a_dead_letter_that_is_redriven_is_run_again(make_system: MakeSystem, sqs: SQSServer) -> None:
    system = make_system(MESSAGE_MAX_AGE_MS="5000")
    system.api()
    system.twilio.refuse(400, 21211)
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    settle(system)
    [letter] = dead_letters(sqs, system, "replies")
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "failed"
    assert "21211" in letter["MessageAttributes"]["error"]["StringValue"]

    client = sqs.client()  # as `aws sqs start-message-move-task` does, which moto's server lacks
    url = client.get_queue_url(QueueName=f"{system.settings['SQS_NAMESPACE']}_replies")["QueueUrl"]
    attributes = {
        name: {"DataType": each["DataType"], "StringValue": each["StringValue"]}
        for name, each in letter["MessageAttributes"].items()
    }
    client.send_message(
        QueueUrl=url, MessageBody=letter["Body"], MessageAttributes=attributes, DelaySeconds=6
    )
    settle(system)

    assert len(system.twilio.sent_to(contact)) == 1, "also after its age, which begins anew"


def test_a_contact_whom_nothing_could_be_answered_is_told_so_once(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock
) -> None:
    system = make_system(REPLY_FALLBACK_TEXT=FALLBACK, **model_settings)
    system.api()
    llmock.fail(400)
    system.worker()
    contact = system.contact()

    system.write("Oi", sender=contact)
    settle(system)

    assert system.twilio.bodies_to(contact) == [FALLBACK]


# -- what operators see --------------------------------------------------------------------------------


def test_the_api_counts_what_sqs_counts_and_no_more(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    for _ in range(2):
        system.write("Oi", sender=system.contact())

    assert system.http.get(system.url + "/readyz").json() == {"status": "ok"}
    # Counting takes long there, and a count is used for some seconds.
    eventually(lambda: system.metric("recado_queue_messages", queue="messages", state="ready") == 2)
    page = system.http.get(system.url + "/metrics").text
    unknown = ("recado_queue_done_total{", "recado_queue_oldest_message_age_seconds{")
    assert [name for name in unknown if name in page] == [], "SQS does not tell, and nothing is made up"
    assert re.search(r"messages\W+2\W+0\W+0\W+0\W+$", system.run("queues").stdout, re.MULTILINE)


def test_an_api_without_sqs_is_alive_and_not_ready(
    engine: Settings, tmp_path: Path, twilio: FakeTwilio
) -> None:
    with (
        SQSServer(tmp_path) as server,
        System(tmp_path, twilio, **{**engine, "SQS_ENDPOINT_URL": server.url}) as system,
    ):
        system.api()
        system.write("Oi", sender=system.contact())
        server.kill()

        ready = system.http.get(system.url + "/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert system.http.get(system.url + "/healthz").status_code == 200
        eventually(lambda: system.metric("recado_queue_up") == 0)
        refused = system.webhook(system.parameters("Oi", sender=system.contact()))
        assert refused.status_code == 503, "nothing is pretended"

        worker = system.worker()  # it comes up before SQS does
        worker.event("Consumer encountered a connection error")
        server.start()  # without the queues of before
        eventually(lambda: system.http.get(system.url + "/readyz").status_code == 200)
        contact = system.contact()
        parameters = system.parameters("Oi", sender=contact)
        # A request that finds its queue gone is refused; the one after it makes the queue.
        eventually(lambda: system.webhook(parameters).status_code == 200)
        settle(system)
        assert len(system.twilio.sent_to(contact)) == 1


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (("dead", "list"), "start-message-move-task"),
        (("dead", "show", "an-id"), "can look no message up"),
        (("dead", "replay", "--all"), "start-message-move-task"),
        (("dead", "discard", "an-id"), "start-message-move-task"),
        (("queues", "pause", "messages"), "Stop the workers"),
        (("queues", "resume", "messages"), "nothing to resume"),
        (("queues", "move", "--from", "sqlite"), "let the workers"),
    ],
)
def test_commands_that_sqs_cannot_do_say_what_to_do_instead(
    make_system: MakeSystem, command: tuple[str, ...], instead: str
) -> None:
    ended = make_system().run(*command)

    assert ended.returncode == 1
    assert instead in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_doctor_claims_no_more_than_it_found(make_system: MakeSystem) -> None:
    port = str(free_port())
    system = make_system(API_PORT=port, PUBLIC_BASE_URL=f"http://127.0.0.1:{port}")
    system.api()

    healthy = system.run("doctor").stdout
    assert re.search(r"^ok +sqs queue at .* answers", healthy, re.MULTILINE)
    assert "durable" not in healthy

    elsewhere = system.run("doctor", SQS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}").stdout
    assert re.search(r"^FAIL +sqs queue at ", elsewhere, re.MULTILINE)
    assert "docs/sqs.md" in elsewhere


def test_the_dashboard_says_what_sqs_cannot_show(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    settle(system)

    def page(path: str) -> str:
        answer = system.http.get(f"{system.url}/dashboard/{path}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def lists(*texts: str) -> bool:
        overview = page("")
        return all(text in overview for text in texts)

    eventually(lambda: lists("counts roughly", 'href="/dashboard/queues/messages"'), every_s=0.5)
    for path in ("queues/messages", "messages/some-id", "dead-letters"):
        assert "Not on this engine" in page(path), path
    assert "SQS keeps dead letters in queues of their own" in page("dead-letters")
    assert contact[-2:] in page("conversations")
    assert system.http.get(f"{system.url}/dashboard/audit").status_code == 200
