"""The whole way through BullMQ's queues."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, ask
from tests.support.system import System
from tests.support.waiting import eventually

from .conftest import MakeSystem, Settings

#: How long a worker may be silent, here, in seconds.
LOCK_S = 3

#: How long it may take until all is answered, in seconds. Generous: a deadline, not a measure.
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("bullmq")) as server:
        yield server


@pytest.fixture
def engine(server: RedisServer, request: pytest.FixtureRequest) -> Settings:
    """Settings for BullMQ, with a prefix of the test's own."""
    name = re.sub(r"\W", "-", request.node.name)
    return {
        "QUEUE_BACKEND": "bullmq",
        "REDIS_URL": server.url,
        "REDIS_NAMESPACE": name,
        "BULLMQ_PREFIX": name,
        "BULLMQ_LOCK_S": str(LOCK_S),
    }


def settle(system: System) -> None:
    eventually(lambda: system.waiting() == 0, within_s=PATIENCE_S, every_s=0.1)


def jobs(server: RedisServer, system: System, queue: str, state: str) -> list[dict[str, str]]:
    """A queue's jobs as BullMQ has them."""
    prefix = f"{system.settings['BULLMQ_PREFIX']}:{queue}:"
    return [
        {
            key.decode(): value.decode()
            for key, value in _pairs(ask(server.port, "HGETALL", prefix + each.decode()))
        }
        for each in ask(server.port, "ZRANGE", prefix + state, 0, -1)
    ]


def _pairs(answer: Any) -> Iterator[tuple[bytes, bytes]]:
    return iter(answer.items()) if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)


def test_a_message_gets_one_answer(make_system: MakeSystem, server: RedisServer) -> None:
    system = make_system(BULLMQ_KEEP_COMPLETED="10")
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
    names = {job["name"] for job in jobs(server, system, "messages", "completed")}
    assert "process_ai_response" in names, "BullMQ's tools see what was done"


def test_a_repeated_webhook_gets_no_second_answer(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    contact, sid = system.contact(), "SM" + "1" * 32
    for _ in range(5):
        system.write("Oi", sender=contact, sid=sid)

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


def test_a_worker_dies_while_the_model_thinks(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock, llmock_server: LLMockServer
) -> None:
    """What it held is answered once its lock has ended, and nothing else is lost."""
    system = make_system(**model_settings)
    system.api()
    contacts = [system.contact() for _ in range(4)]
    llmock.delay(30)
    worker = system.worker()
    for contact in contacts:
        system.write("Oi", sender=contact)
    eventually(lambda: not llmock_server.state.scenarios.pending())  # one is being served
    worker.kill()

    llmock.reply("Olá!")
    system.worker()
    settle(system)

    assert [len(system.twilio.sent_to(contact)) for contact in contacts] == [1] * 4


def test_a_long_thought_is_not_taken_for_a_death(make_system: MakeSystem) -> None:
    """The lock is renewed while the worker lives: nobody else gets the message."""
    system = make_system(ECHO_DELAY_S=str(2.5 * LOCK_S))
    system.api()
    workers = [system.worker(), system.worker()]
    contact = system.contact()

    system.write("Oi", sender=contact)
    settle(system)

    assert system.twilio.bodies_to(contact) == ["[echo, not an AI] Oi"]
    assert "".join(worker.log for worker in workers).count('"event": "answered"') == 1


def test_a_dead_letter_is_bullmqs_failed_job_and_can_be_replayed(
    make_system: MakeSystem, server: RedisServer
) -> None:
    system = make_system()
    system.api()
    system.twilio.refuse(400, 21211)
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    settle(system)

    [job] = jobs(server, system, "replies", "failed")
    assert "21211" in job["failedReason"]
    assert "Traceback" in json.loads(job["stacktrace"])[0]
    assert job["name"] in system.run("dead", "list").stdout
    assert system.run("dead", "replay", "--all").returncode == 0
    settle(system)
    assert len(system.twilio.sent_to(contact)) == 1


def test_webhooks_wait_in_the_spool_while_the_server_is_away(
    engine: Settings, tmp_path: Path, make_system: MakeSystem
) -> None:
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis") as server:
        system = make_system()
        system.settings["REDIS_URL"] = server.url
        system.api()
        system.write("Oi", sender=system.contact())
        server.kill()
        contact = system.contact()
        system.write("Oi", sender=contact)

        server.start()
        system.worker()
        eventually(lambda: system.twilio.bodies_to(contact) == ["[echo, not an AI] Oi"], within_s=PATIENCE_S)


def test_another_kind_of_program_in_the_same_place_is_named(
    make_system: MakeSystem, server: RedisServer
) -> None:
    system = make_system()
    prefix = system.settings["BULLMQ_PREFIX"]
    ask(server.port, "SET", f"{prefix}:messages:wait", "not a list")

    worker = system.worker()
    said = worker.event("Consumer encountered a connection error")["event"]
    assert f"{prefix}:messages:wait is a string" in said
    assert "choose another one" in said


def test_a_message_moves_from_another_engine_and_back(make_system: MakeSystem) -> None:
    system = make_system(CONVERSATIONS_BACKEND="redis")
    elsewhere = {"QUEUE_BACKEND": "redis"}
    system.settings |= elsewhere
    api = system.api()
    contact = system.contact()
    system.write("Oi", sender=contact)
    api.terminate()

    to_bullmq = system.run("queues", "move", "--from", "redis", QUEUE_BACKEND="bullmq")
    assert "1 message(s) are in bullmq now" in to_bullmq.stdout, to_bullmq.stderr
    back = system.run("queues", "move", "--from", "bullmq", **elsewhere)
    assert "1 message(s) are in redis now" in back.stdout, back.stderr
    again = system.run("queues", "move", "--from", "redis", QUEUE_BACKEND="bullmq")
    assert again.returncode == 0, again.stderr

    system.settings["QUEUE_BACKEND"] = "bullmq"
    system.run("queues", "resume", "messages")
    system.worker()
    eventually(lambda: system.twilio.bodies_to(contact) == ["[echo, not an AI] Oi"], within_s=PATIENCE_S)


def test_operators_see_what_waits(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    system.write("Oi", sender=system.contact())

    assert re.search(r"messages\W+1\W+0\W+0\W+0", system.run("queues").stdout)
    eventually(lambda: system.metric("recado_queue_messages", queue="messages", state="ready") == 1)
    page = system.http.get(f"{system.url}/dashboard/queues/messages")
    assert page.status_code == 200
    assert "process_ai_response" in page.text


def test_the_doctor_knows_it(make_system: MakeSystem) -> None:
    port = str(free_port())
    system = make_system(API_PORT=port, PUBLIC_BASE_URL=f"http://127.0.0.1:{port}")
    system.api()

    healthy = system.run("doctor").stdout
    assert re.search(r"^ok +bullmq queue at .* takes durable writes", healthy, re.MULTILINE)
    elsewhere = system.run("doctor", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0").stdout
    assert re.search(r"^FAIL +bullmq queue at ", elsewhere, re.MULTILINE)
    assert "REDIS_URL" in elsewhere
