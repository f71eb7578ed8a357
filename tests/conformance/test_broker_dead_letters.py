"""I7: whatever cannot be run is kept, with the reason, and can be run again."""

from __future__ import annotations

import json
import queue
import threading
from contextlib import closing
from typing import Any

import pytest
from dramatiq import Message, Worker

from brokers.durable import DurableBroker
from brokers.errors import EngineError
from brokers.middleware import default_middleware
from brokers.records import StoredMessage
from tests.support.engines import Engine
from tests.support.messages import PATIENCE_S, QUEUE, found, send_aged, stored
from tests.support.waiting import eventually

from .conftest import declare, working


def dead(broker: DurableBroker, message_id: str) -> StoredMessage:
    """Wait until it is."""
    eventually(lambda: found(broker.backend, message_id).state == "dead")
    return found(broker.backend, message_id)


@pytest.mark.parametrize("payload", [b"not json", b"\xff\xfe", b"[]", b"null", b'{"valid": "json"}', b""])
def test_an_undecodable_payload(broker: DurableBroker, worker: Worker, payload: bytes) -> None:
    broker.declare_queue(QUEUE)
    message_id = stored(broker.backend, payload=payload)

    letter = dead(broker, message_id)
    assert letter.reason == "undecodable"
    assert letter.payload == payload
    assert "DecodeError" in (letter.last_error or "")


def test_an_undecodable_payload_holds_nobody_up(broker: DurableBroker) -> None:
    ran = threading.Event()
    actor = declare(broker, ran.set, actor_name="work")
    message_ids = [stored(broker.backend, payload=b"broken") for _ in range(3)]
    actor.send()

    with working(broker):
        assert ran.wait(PATIENCE_S)
        assert {dead(broker, message_id).reason for message_id in message_ids} == {"undecodable"}


def test_a_payload_that_cannot_be_set_aside_yet_is_not_lost(
    broker: DurableBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.01)
    nack, tries = broker.backend.nack, []

    def fails_once(*args: object, **kwargs: object) -> None:
        tries.append(args)
        if len(tries) == 1:
            raise EngineError("away")
        nack(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(broker.backend, "nack", fails_once)
    broker.declare_queue(QUEUE)
    message_id = stored(broker.backend, payload=b"broken")

    with working(broker):
        assert dead(broker, message_id).reason == "undecodable"


def test_an_unknown_actor(broker: DurableBroker, worker: Worker) -> None:
    broker.declare_queue(QUEUE)
    message = broker.enqueue(Message(QUEUE, "nobody", (), {}, {}))

    letter = dead(broker, message.message_id)
    assert (letter.reason, letter.actor) == ("unknown_actor", "nobody")
    assert "nobody" in (letter.last_error or "")


def test_a_message_over_its_age_limit(broker: DurableBroker, worker: Worker) -> None:
    ran = threading.Event()
    actor = declare(broker, ran.set, actor_name="work", max_age=1_000)
    old = actor.message().copy(message_timestamp=1)
    broker.enqueue(old)

    assert dead(broker, old.message_id).reason == "expired"
    assert not ran.is_set()


@pytest.mark.parametrize(("options", "max_retries"), [({}, 20), ({"max_retries": 3}, 3)])
def test_an_expired_message_is_an_exhausted_one(
    engine: Engine, options: dict[str, int], max_retries: int
) -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with closing(engine.broker(middleware=default_middleware())) as broker:
        declare(broker, lambda *arguments: told.put(arguments), actor_name="tell")
        actor = declare(broker, print, actor_name="work", max_age=1_000, on_retry_exhausted="tell", **options)
        old = actor.message()
        send_aged(broker, old, age_ms=2_000)
        with working(broker):
            message, record = told.get(timeout=PATIENCE_S)
    assert message["message_id"] == old.message_id
    assert record == {"retries": 0, "max_retries": max_retries}, "as Dramatiq says it of the last retry"


def test_an_error_not_worth_a_retry(broker: DurableBroker, worker: Worker) -> None:
    def refuse() -> None:
        raise LookupError("no such customer")

    message = declare(broker, refuse, actor_name="refuse", throws=LookupError).send()

    letter = dead(broker, message.message_id)
    assert (letter.reason, letter.deliveries) == ("failed", 1)
    assert "no such customer" in (letter.last_error or "")


def test_a_replayed_message_has_all_its_retries_again(broker: DurableBroker, worker: Worker) -> None:
    runs: list[int] = []

    def work(number: int) -> None:
        runs.append(number)
        if len(runs) <= 2:
            raise ValueError("not yet")

    actor = declare(broker, work, actor_name="work", max_retries=1, min_backoff=1, max_age=3_600_000)
    message_id = actor.send(7).message_id
    assert json.loads(dead(broker, message_id).payload)["options"]["retries"] == 1

    assert broker.replay(message_id)
    eventually(lambda: broker.backend.get(message_id) is None)
    assert runs == [7, 7, 7]


def test_a_replayed_message_is_young_again_and_keeps_its_other_options(broker: DurableBroker) -> None:
    actor = declare(broker, print, actor_name="work", max_age=1_000)
    old = actor.message_with_options(args=(1,), on_success="work").copy(message_timestamp=1)
    broker.enqueue(old)
    with working(broker):
        dead(broker, old.message_id)

    assert broker.replay(old.message_id)
    again = Message.decode(found(broker.backend, old.message_id).payload)
    assert again.message_timestamp > 1
    assert again.args == (1,)
    assert again.options == {**old.options, "replayed": True}


def test_only_a_dead_letter_is_replayed(broker: DurableBroker) -> None:
    message = declare(broker, print, actor_name="work").send()

    assert not broker.replay(message.message_id)
    assert not broker.replay("unknown")


def test_an_undecodable_payload_can_be_replayed_too(broker: DurableBroker) -> None:
    broker.declare_queue(QUEUE)
    message_id = stored(broker.backend, payload=b"broken")
    with working(broker):
        dead(broker, message_id)

    assert broker.replay(message_id)
    assert found(broker.backend, message_id).payload == b"broken"
