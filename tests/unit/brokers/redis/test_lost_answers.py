"""The server did what it was told, and the connection broke before it could say so: it is told again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from brokers.backend import QueueBackend
from brokers.errors import EngineError
from brokers.records import DeadLetterFilter, Delivery
from brokers.redis import RedisBackend, scripts
from brokers.redis.client import TRIES
from brokers.redis.scripts import Script
from tests.support.messages import (
    QUEUE,
    a_message,
    buried,
    claimable,
    claimed,
    found,
    stats_of,
    stored,
)
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer, ask
from tests.support.waiting import eventually

from .conftest import OpenBackend


def finished(backend: RedisBackend) -> str:
    """Do the next message; return its id."""
    delivery = claimed(backend)
    backend.ack(delivery)
    backend.sync()
    return delivery.message_id


# -- enqueueing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, TRIES - 1])
def test_an_enqueue_is_stored_once(
    backend: RedisBackend, other: RedisBackend, proxy: Proxy, lost: int
) -> None:
    message = a_message()
    with proxy.losing_answers_to(scripts.ENQUEUE.sha, times=lost):
        assert backend.enqueue(message)

    assert claimable(other) == [message.message_id]


def test_an_enqueue_is_not_doubled_when_its_message_is_done_by_then(
    backend: RedisBackend, other: RedisBackend, proxy: Proxy
) -> None:
    message = a_message()
    with proxy.losing_answers_to(scripts.ENQUEUE.sha, meanwhile=lambda: finished(other)):
        assert backend.enqueue(message)

    assert counts(other) == Counts(done=1)


def test_each_of_a_batch_hears_what_became_of_it(
    backend: RedisBackend, other: RedisBackend, proxy: Proxy
) -> None:
    messages = [a_message() for _ in range(20)]
    known = messages[::3]
    for message in known:
        other.enqueue(message)

    async def enqueue_all() -> list[bool]:
        return await asyncio.gather(*map(backend.enqueue_async, messages))

    with proxy.losing_answers_to(scripts.ENQUEUE.sha):
        answers = asyncio.run(enqueue_all())

    assert answers == [message not in known for message in messages]
    assert len(claimable(other)) == len(messages)


def test_an_enqueue_without_an_answer_is_told_and_can_be_tried_again(
    backend: RedisBackend, other: RedisBackend, proxy: Proxy
) -> None:
    message = a_message()
    with proxy.losing_answers_to(scripts.ENQUEUE.sha, times=TRIES), pytest.raises(EngineError):
        backend.enqueue(message)

    assert not backend.enqueue(message), "it is there"
    assert claimable(other) == [message.message_id]


def test_a_unique_key_is_not_refused_to_the_message_that_has_it(backend: RedisBackend, proxy: Proxy) -> None:
    message = a_message(unique_key="once", unique_for_ms=60_000)
    with proxy.losing_answers_to(scripts.ENQUEUE.sha):
        assert backend.enqueue(message)

    assert backend.holder_of("once") == message.message_id


# -- claiming ------------------------------------------------------------------------------------------


def test_a_claim_hands_out_what_it_took(backend: RedisBackend, other: RedisBackend, proxy: Proxy) -> None:
    message_ids = [stored(other) for _ in range(5)]
    with proxy.losing_answers_to(scripts.CLAIM.sha):
        deliveries = backend.dequeue(QUEUE, limit=3, timeout_s=0)

    assert [delivery.message_id for delivery in deliveries] == message_ids[:3]
    assert {delivery.deliveries for delivery in deliveries} == {1}
    assert claimable(other) == message_ids[3:]
    for delivery in deliveries:
        backend.ack(delivery)
    backend.sync()
    assert stats_of(other).done == 3


def test_a_claim_without_an_answer_strands_nothing(
    backend: RedisBackend, other: RedisBackend, proxy: Proxy
) -> None:
    message_ids = [stored(other) for _ in range(3)]
    with proxy.losing_answers_to(scripts.CLAIM.sha, times=TRIES), pytest.raises(EngineError):
        backend.dequeue(QUEUE, limit=2, timeout_s=0)

    eventually(lambda: stats_of(other).ready == 3)
    assert claimable(other) == message_ids
    assert {found(other, message_id).deliveries for message_id in message_ids} == {1}


# -- settling ------------------------------------------------------------------------------------------


def ack(backend: QueueBackend, delivery: Delivery) -> None:
    backend.ack(delivery)
    backend.sync()


def nack(backend: QueueBackend, delivery: Delivery) -> None:
    backend.nack(delivery, reason="failed", error="ValueError")


def retry(backend: QueueBackend, delivery: Delivery) -> None:
    backend.retry(delivery, queue=QUEUE, payload=b"again", delay_ms=0, error="ValueError")


def release(backend: QueueBackend, delivery: Delivery) -> None:
    backend.release([delivery])


class Counts(NamedTuple):
    """How many messages are in which state."""

    ready: int = 0
    running: int = 0
    dead: int = 0
    done: int = 0


def counts(backend: QueueBackend) -> Counts:
    stats = stats_of(backend)
    return Counts(stats.ready, stats.running, stats.dead, stats.done or 0)


class Verb(NamedTuple):
    """A way to settle a message.

    Attributes:
      after: what has become of it then.
      deliveries: how often it will have been handed out when it is claimed again.
    """

    script: Script
    settle: Callable[[QueueBackend, Delivery], None]
    after: Counts
    deliveries: int = 0


VERBS = {
    "ack": Verb(scripts.ACK, ack, Counts(done=1)),
    "nack": Verb(scripts.NACK, nack, Counts(dead=1)),
    "retry": Verb(scripts.RETRY, retry, Counts(ready=1), deliveries=2),
    "release": Verb(scripts.RELEASE, release, Counts(ready=1), deliveries=1),
}

each_verb = pytest.mark.parametrize("verb", [pytest.param(verb, id=name) for name, verb in VERBS.items()])


@each_verb
@pytest.mark.parametrize("lost", [1, TRIES - 2])  # one try goes to telling the server the script
def test_a_message_is_settled_once(
    backend: RedisBackend, other: RedisBackend, proxy: Proxy, verb: Verb, lost: int
) -> None:
    stored(other)
    delivery = claimed(backend)
    with proxy.losing_answers_to(verb.script.sha, times=lost):
        verb.settle(backend, delivery)

    assert counts(other) == verb.after


@pytest.mark.parametrize("verb", [VERBS["retry"], VERBS["release"]], ids=["retry", "release"])
def test_whoever_claims_a_message_that_was_given_back_keeps_it(
    backend: RedisBackend, other: RedisBackend, proxy: Proxy, verb: Verb
) -> None:
    stored(other)
    delivery = claimed(backend)
    theirs: list[Delivery] = []
    with proxy.losing_answers_to(verb.script.sha, meanwhile=lambda: theirs.append(claimed(other))):
        verb.settle(backend, delivery)

    assert counts(other) == Counts(running=1)
    assert theirs[0].deliveries == verb.deliveries
    ack(other, theirs[0])
    assert counts(other) == Counts(done=1)


def test_a_dead_letter_is_replayed_once(backend: RedisBackend, other: RedisBackend, proxy: Proxy) -> None:
    message_id = buried(other)
    with proxy.losing_answers_to(scripts.REPLAY.sha, meanwhile=lambda: finished(other)):
        assert backend.replay(message_id)

    assert counts(other) == Counts(done=1)


def test_what_was_discarded_and_adopted_is_counted_once(
    backend: RedisBackend, other: RedisBackend, proxy: Proxy
) -> None:
    letters = [found(other, buried(other)) for _ in range(3)]
    which = DeadLetterFilter(message_ids=[letter.message_id for letter in letters])
    with proxy.losing_answers_to(scripts.DISCARD.sha):
        assert backend.discard(which) == 3
    with proxy.losing_answers_to(scripts.ADOPT.sha):
        assert backend.adopt(letters) == 3

    assert counts(other) == Counts(dead=3)


# -- the server forgets, or dies -----------------------------------------------------------------------


@each_verb
def test_a_server_that_forgot_the_scripts_is_told_them_again(
    backend: RedisBackend, server: RedisServer, verb: Verb
) -> None:
    ask(server.port, "SCRIPT", "FLUSH", "SYNC")
    stored(backend)
    ask(server.port, "SCRIPT", "FLUSH", "SYNC")
    delivery = claimed(backend)
    ask(server.port, "SCRIPT", "FLUSH", "SYNC")
    verb.settle(backend, delivery)

    assert counts(backend) == verb.after


def test_an_enqueue_is_stored_once_when_the_scripts_are_forgotten_in_between(
    backend: RedisBackend, other: RedisBackend, server: RedisServer, proxy: Proxy
) -> None:
    message = a_message()

    def forget_scripts_and_work() -> None:
        finished(other)
        ask(server.port, "SCRIPT", "FLUSH", "SYNC")

    with proxy.losing_answers_to(scripts.ENQUEUE.sha, meanwhile=forget_scripts_and_work):
        assert backend.enqueue(message)

    assert counts(other) == Counts(done=1)


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def test_all_goes_on_when_the_server_was_killed(tmp_path: Path, open_backend: OpenBackend) -> None:
    with RedisServer(tmp_path) as server:
        backend = open_backend(server.port)
        message_ids = [stored(backend) for _ in range(3)]
        delivery = claimed(backend)

        restart(server)

        ack(backend, delivery)
        message_ids.append(stored(backend))
        assert claimable(backend) == message_ids[1:]
        assert counts(backend) == Counts(running=3, done=1)
        backend.close()


def test_who_waits_is_woken_though_the_server_was_killed(tmp_path: Path, open_backend: OpenBackend) -> None:
    with RedisServer(tmp_path) as server:
        backend = open_backend(server.port)
        with ThreadPoolExecutor(max_workers=1) as pool:
            waiting = pool.submit(claimed, backend)
            eventually(lambda: ask(server.port, "SCARD", f"{backend._database.base}:waiting:{QUEUE}"))

            restart(server)

            other = open_backend(server.port)
            message_id = stored(other)
            assert waiting.result().message_id == message_id
        other.close()
        backend.close()


def test_an_enqueue_is_stored_once_when_the_server_is_killed_before_it_answers(
    tmp_path: Path, open_backend: OpenBackend
) -> None:
    with RedisServer(tmp_path) as server, Proxy(server.port) as proxy:
        backend = open_backend(proxy.port)
        message = a_message()

        with proxy.losing_answers_to(scripts.ENQUEUE.sha, meanwhile=lambda: restart(server)):
            assert backend.enqueue(message)

        assert claimable(backend) == [message.message_id]
        backend.close()
