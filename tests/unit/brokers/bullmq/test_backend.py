"""What is BullMQ's own about the engine. What all engines have in common is in tests/conformance."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest
from bullmq import Queue
from bullmq.scripts import Scripts
from dramatiq import Message

from brokers.bullmq import BullMQBackend, scripts
from brokers.errors import EngineError
from brokers.records import DeadLetterFilter
from brokers.redis.scripts import Script
from tests.support.messages import QUEUE, a_message, buried, claimed, found, stats_of, stored
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer, ask

from .conftest import OpenBackend, Upstream


def check_for_stalled(upstream_url: str, prefix: str, *, max_stalled: int) -> list[str]:
    """Have BullMQ look for stalled jobs twice, as its workers do: it marks, then it moves."""

    async def twice() -> list[str]:
        queue = Queue(QUEUE, {"connection": upstream_url, "prefix": prefix})
        try:
            check: Scripts = queue.backend.scripts
            await check.moveStalledJobsToWait(max_stalled, 1)
            await asyncio.sleep(0.01)  # the time that BullMQ itself lets pass, in milliseconds
            stalled: list[str] = await check.moveStalledJobsToWait(max_stalled, 1)
            return stalled
        finally:
            await queue.close()

    return asyncio.run(twice())


def claim_as_another_program(upstream_url: str, prefix: str) -> None:
    """Have BullMQ's package claim a job, as a worker of its own does."""

    async def claim() -> None:
        queue = Queue(QUEUE, {"connection": upstream_url, "prefix": prefix})
        try:
            await queue.backend.scripts.moveToActive("a-token", {"lockDuration": 60_000})
        finally:
            await queue.close()

    asyncio.run(claim())


def lapse(server: RedisServer, prefix: str) -> None:
    """Let every lock end, as it does when its worker is silent for too long."""
    for lock in ask(server.port, "KEYS", f"{prefix}:*:lock"):
        ask(server.port, "DEL", lock)


def job_of(server: RedisServer, prefix: str, job_id: str) -> dict[str, str]:
    fields = ask(server.port, "HGETALL", f"{prefix}:{QUEUE}:{job_id}")
    pairs = fields.items() if isinstance(fields, dict) else zip(fields[::2], fields[1::2], strict=True)
    return {key.decode(): value.decode() for key, value in pairs}


# -- beside BullMQ's package ---------------------------------------------------------------------------


def test_the_package_reads_what_is_enqueued(backend: BullMQBackend, upstream: Upstream) -> None:
    message_id = stored(backend, payload=b'{"args": [1]}', actor="greet", priority=3)

    [job] = upstream(QUEUE, "getJobs", ["prioritized"])
    assert (job.id, job.name, job.data, job.priority) == (message_id, "greet", {"args": [1]}, 3)


def test_what_the_package_adds_is_handed_out(backend: BullMQBackend, upstream: Upstream) -> None:
    backend.dequeue(QUEUE, limit=1, timeout_s=0)
    job = upstream(QUEUE, "add", "greet", {"args": ["Ana"]})

    delivery = claimed(backend)
    message = Message.decode(delivery.payload)
    assert (delivery.message_id, message.message_id) == (f"{QUEUE}:{job.id}",) * 2
    assert (message.actor_name, message.args) == ("greet", ("Ana",))
    assert found(backend, delivery.message_id).state == "running"
    backend.retry(delivery, queue=QUEUE, payload=message.encode(), delay_ms=60_000, error="no")
    assert found(backend, delivery.message_id).payload == message.encode()


def test_a_job_of_another_program_moves_to_another_queue_under_its_name(
    backend: BullMQBackend, upstream: Upstream
) -> None:
    backend.dequeue(QUEUE, limit=1, timeout_s=0)
    upstream(QUEUE, "add", "greet", {})
    delivery = claimed(backend)

    backend.retry(delivery, queue="other", payload=b"{}", delay_ms=0, error=None)
    assert found(backend, delivery.message_id).queue == "other"
    assert claimed(backend, "other").message_id == delivery.message_id


def test_queues_of_other_programs_are_left_alone(backend: BullMQBackend, upstream: Upstream) -> None:
    upstream("theirs", "add", "job", {})
    stored(backend)

    assert [stats.queue for stats in backend.stats()] == [QUEUE]


def test_both_pause_and_resume(backend: BullMQBackend, upstream: Upstream) -> None:
    stored(backend)
    upstream(QUEUE, "pause")
    assert stats_of(backend).paused
    backend.resume(QUEUE)
    assert not upstream(QUEUE, "isPaused")


def test_a_dead_letter_that_the_package_retries_has_a_fresh_record(
    backend: BullMQBackend, upstream: Upstream
) -> None:
    message: Message[Any] = Message(QUEUE, "greet", (), {}, {"retries": 8, "traceback": "..."}, "an-id", 5)
    message_id = buried(backend, message_id="an-id", payload=message.encode())
    [job] = upstream(QUEUE, "getFailed")
    assert job.failedReason == "ValueError: no"
    upstream(QUEUE, "retryJobs", {"state": "failed"})

    for expected in (1, 2):  # also after a delivery that came to nothing
        delivery = claimed(backend)
        assert (delivery.message_id, delivery.deliveries, delivery.crashes) == (message_id, 1, 0)
        options = Message.decode(delivery.payload).options
        assert options == {"replayed": True}, expected
        backend.release([delivery])
    backend.retry(claimed(backend), queue=QUEUE, payload=b'{"x": 1}', delay_ms=0, error="no")
    assert claimed(backend).payload == b'{"x": 1}'


# -- locks ---------------------------------------------------------------------------------------------


def test_a_check_of_bullmqs_own_counts_only_what_was_begun(
    open_backend: OpenBackend, server: RedisServer, prefix: str
) -> None:
    """It knows of stalls, and not of what was begun. The next look finds that out."""
    dying, heir = open_backend(), open_backend()
    begun, waiting = stored(dying), stored(dying)
    deliveries = dying.dequeue(QUEUE, limit=2, timeout_s=0)
    dying.started(deliveries[0])
    session, dying._current_session = dying._current_session, None
    assert session is not None
    session.stop()
    lapse(server, prefix)

    assert sorted(check_for_stalled(server.url, prefix, max_stalled=9)) == sorted([begun, waiting])
    suspect, unharmed = found(heir, begun), found(heir, waiting)
    assert (suspect.deliveries, suspect.crashes) == (1, 1)
    assert "died" in str(suspect.last_error)
    assert (unharmed.deliveries, unharmed.crashes, unharmed.last_error) == (0, 0, None)
    again = {each.message_id: each for each in heir.dequeue(QUEUE, limit=2, timeout_s=0)}
    assert (again[begun].deliveries, again[begun].crashes) == (2, 1)
    assert (again[waiting].deliveries, again[waiting].crashes) == (1, 0)


def test_a_job_that_stalled_too_often_for_another_worker_is_to_be_set_aside(
    backend: BullMQBackend, server: RedisServer, prefix: str
) -> None:
    stored(backend)
    backend.started(claimed(backend))
    lapse(server, prefix)
    check_for_stalled(server.url, prefix, max_stalled=0)

    delivery = claimed(backend)
    assert delivery.crashes == backend.max_deliveries
    backend.nack(delivery, reason="max_deliveries", error=None)
    assert stats_of(backend).died == {"max_deliveries": 1}


def test_a_lock_that_ended_is_good_until_the_job_is_somebody_elses(
    backend: BullMQBackend, server: RedisServer, prefix: str
) -> None:
    """BullMQ ends it by the clock, also while nobody could have renewed it."""
    for settle in (
        backend.ack,
        lambda delivery: backend.nack(delivery, reason="failed", error=None),
        lambda delivery: backend.retry(delivery, queue=QUEUE, payload=b"", delay_ms=60_000, error=None),
        lambda delivery: backend.release([delivery], delay_ms=60_000),
    ):
        stored(backend)
        delivery = claimed(backend)
        lapse(server, prefix)
        settle(delivery)
        backend.sync()

    stats = stats_of(backend)
    assert (stats.done, stats.dead, stats.delayed, stats.running) == (1, 1, 2, 0)


def test_a_renewal_makes_a_lock_anew(backend: BullMQBackend, server: RedisServer, prefix: str) -> None:
    message_id = stored(backend)
    claimed(backend)
    lapse(server, prefix)

    backend._session().locks.renew(grace_ms=0)
    assert found(backend, message_id).state == "running"
    assert ask(server.port, "PTTL", f"{prefix}:{QUEUE}:{message_id}:lock") > 10_000


def test_a_lock_that_is_another_workers_is_given_up(
    backend: BullMQBackend, server: RedisServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    message_id = stored(backend)
    delivery = claimed(backend)
    ask(server.port, "SET", f"{prefix}:{QUEUE}:{message_id}:lock", "another's")

    backend._session().locks.renew()
    assert "lost its lock" in caplog.text
    backend.ack(delivery)
    backend.sync()
    assert found(backend, message_id).state == "running"


def test_a_job_is_given_back_when_it_has_been_without_a_lock_for_a_while(
    open_backend: OpenBackend, server: RedisServer, prefix: str
) -> None:
    """A worker that lives, and was kept from the server, renews first."""
    holder, other = open_backend(), open_backend()
    message_id = stored(holder)
    claimed(holder)
    lapse(server, prefix)

    other._session().locks.renew()
    assert found(other, message_id).state == "running"
    holder._session().locks.renew()
    other._session().locks.renew(grace_ms=0)
    assert found(other, message_id).state == "running"
    lapse(server, prefix)
    other._session().locks.renew(grace_ms=0)
    assert found(other, message_id).state == "ready"


def test_what_a_dead_worker_of_another_program_held_is_given_back_within_a_limit(
    open_backend: OpenBackend, server: RedisServer, prefix: str
) -> None:
    backend = open_backend(max_deliveries=2)
    stored(backend)
    for crashes in (1, 2, 3):
        claim_as_another_program(server.url, prefix)
        lapse(server, prefix)
        backend._session().locks.renew(grace_ms=0)
        [message] = backend.list(QUEUE, "ready")
        assert message.crashes == crashes

    assert "defa" in job_of(server, prefix, message.message_id), "BullMQ's worker lets it fail"


def test_an_ack_makes_room_where_a_queue_is_limited(
    backend: BullMQBackend, server: RedisServer, prefix: str
) -> None:
    stored(backend)
    stored(backend)
    ask(server.port, "HSET", f"{prefix}:{QUEUE}:meta", "concurrency", "1")
    [delivery] = backend.dequeue(QUEUE, limit=5, timeout_s=0)
    assert backend.dequeue(QUEUE, limit=5, timeout_s=0) == []
    ask(server.port, "DEL", f"{prefix}:{QUEUE}:marker")

    backend.ack(delivery)
    backend.sync()
    assert ask(server.port, "ZCARD", f"{prefix}:{QUEUE}:marker") == 1


def test_locks_are_renewed_while_a_message_runs(open_backend: OpenBackend) -> None:
    backend, other = open_backend(lock_s=3), open_backend(lock_s=3)
    message_id = stored(backend)
    claimed(backend)

    assert other.dequeue(QUEUE, limit=1, timeout_s=4.5) == []
    assert found(backend, message_id).state == "running"


def test_the_locks_of_a_reported_process_end_at_once(open_backend: OpenBackend) -> None:
    backend = open_backend(lock_s=300)
    message_id = stored(backend)
    backend.started(claimed(backend))

    open_backend().report_death(os.getpid())
    message = found(backend, message_id)
    assert (message.state, message.crashes) == ("ready", 1)


# -- what is done --------------------------------------------------------------------------------------


def test_the_last_completed_jobs_are_kept_and_are_no_messages(
    open_backend: OpenBackend, upstream: Upstream
) -> None:
    backend = open_backend(keep_completed=2)
    ids = [stored(backend) for _ in range(4)]
    for _ in ids:
        backend.ack(claimed(backend))
        backend.sync()

    assert {job.id for job in upstream(QUEUE, "getCompleted")} == set(ids[2:])
    assert [backend.get(message_id) for message_id in ids] == [None] * 4
    assert backend.enqueue(a_message(message_id=ids[3])), "what is done is no obstacle"
    assert stats_of(backend).done == 4


def test_another_program_says_what_is_kept_of_its_jobs(backend: BullMQBackend, upstream: Upstream) -> None:
    backend.dequeue(QUEUE, limit=1, timeout_s=0)
    for options in ({"removeOnComplete": False}, {"removeOnComplete": True}, {"removeOnComplete": 5}):
        upstream(QUEUE, "add", "job", {}, options)
        backend.ack(claimed(backend))
        backend.sync()

    assert len(upstream(QUEUE, "getCompleted")) == 1, "as many as are kept here: none; and 5, of the last"


def test_a_parent_whose_child_failed_is_no_message_that_is_done(
    backend: BullMQBackend, server: RedisServer, prefix: str
) -> None:
    message_id = stored(backend)
    delivery = claimed(backend)
    ask(server.port, "SADD", f"{prefix}:{QUEUE}:{message_id}:dependencies", "a child")

    backend.ack(delivery)
    backend.sync()
    dead = found(backend, message_id)
    assert (dead.state, dead.reason) == ("dead", "failed")
    assert "child" in str(dead.last_error)


# -- what is wrong -------------------------------------------------------------------------------------


def test_a_key_of_another_kind_is_named(open_backend: OpenBackend, server: RedisServer, prefix: str) -> None:
    ask(server.port, "SADD", f"{prefix}:{QUEUE}:wait", "x")

    with pytest.raises(EngineError, match=f"{prefix}:{QUEUE}:wait is a set.*choose another one"):
        open_backend().enqueue(a_message())
    with pytest.raises(EngineError, match="is a set"):
        open_backend().dequeue(QUEUE, limit=1, timeout_s=0)
    assert list(open_backend().stats()) == []


def test_bulls_queue_is_not_taken_for_bullmqs(
    open_backend: OpenBackend, server: RedisServer, prefix: str
) -> None:
    ask(server.port, "SET", f"{prefix}:{QUEUE}:id", "7")

    with pytest.raises(EngineError, match="predecessor of BullMQ"):
        open_backend().enqueue(a_message())


def test_a_job_that_lost_its_hash_is_a_dead_letter(
    backend: BullMQBackend, server: RedisServer, prefix: str
) -> None:
    message_id, other = stored(backend), stored(backend)
    ask(server.port, "DEL", f"{prefix}:{QUEUE}:{message_id}")

    [delivery] = backend.dequeue(QUEUE, limit=2, timeout_s=0)
    assert delivery.message_id == other
    backend.sync()
    [dead] = backend.list(QUEUE, "dead")
    assert (dead.message_id, dead.reason) == (message_id, "undecodable")
    assert "noeviction" in str(dead.last_error)


def test_data_that_is_no_json_is_handed_on_to_be_set_aside(
    backend: BullMQBackend, server: RedisServer, prefix: str, upstream: Upstream
) -> None:
    backend.dequeue(QUEUE, limit=1, timeout_s=0)
    job = upstream(QUEUE, "add", "greet", {})
    ask(server.port, "HSET", f"{prefix}:{QUEUE}:{job.id}", "data", "{'no': json}")

    assert claimed(backend).payload == b"{'no': json}"


def test_a_dead_letter_of_another_worker_is_one_here(
    backend: BullMQBackend, server: RedisServer, prefix: str
) -> None:
    message_id = buried(backend)
    name = f"{prefix}:{QUEUE}:{message_id}"
    ask(
        server.port, "HSET", name, "finishedOn", "99", "failedReason", "boom", "stacktrace", '["Error: boom"]'
    )
    ask(server.port, "ZADD", f"{prefix}:{QUEUE}:failed", "99", message_id)

    dead = found(backend, message_id)
    assert (dead.reason, dead.last_error, dead.died_at) == ("failed", "Error: boom", 99)
    assert backend.discard(DeadLetterFilter(text="boom")) == 1


@pytest.mark.parametrize(("option", "value"), [("lock_s", 0.5), ("keep_completed", -1)])
def test_numbers_out_of_bounds_are_refused(open_backend: OpenBackend, option: str, value: float) -> None:
    with pytest.raises(ValueError, match=option):
        open_backend(**{option: value})


# -- answers that get lost -----------------------------------------------------------------------------


@pytest.mark.parametrize("is_done", [False, True])
def test_an_enqueue_whose_answer_was_lost_is_stored_once(
    open_backend: OpenBackend, proxy: Proxy, is_done: bool
) -> None:
    behind, beside = open_backend(proxy.port), open_backend()

    def finish() -> None:
        if is_done:
            beside.ack(claimed(beside))
            beside.sync()

    with proxy.losing_answers_to(scripts.ENQUEUE.sha, meanwhile=finish):
        assert behind.enqueue(a_message())

    stats = stats_of(beside)
    assert (stats.ready, stats.done) == ((0, 1) if is_done else (1, 0))


def test_a_claim_whose_answer_was_lost_is_made_again(open_backend: OpenBackend, proxy: Proxy) -> None:
    behind = open_backend(proxy.port)
    ids = [stored(behind) for _ in range(3)]
    with proxy.losing_answers_to(scripts.CLAIM.sha):
        deliveries = behind.dequeue(QUEUE, limit=2, timeout_s=0)

    assert sorted(each.message_id for each in deliveries) == sorted(ids[:2])
    assert [each.deliveries for each in deliveries] == [1, 1]
    for delivery in deliveries:
        behind.ack(delivery)
    behind.sync()
    assert (stats_of(behind).done, stats_of(behind).ready) == (2, 1)


@pytest.mark.parametrize(
    ("script", "settle", "state"),
    [
        (scripts.NACK, lambda b, d: b.nack(d, reason="failed", error="no"), "dead"),
        (
            scripts.RETRY,
            lambda b, d: b.retry(d, queue=QUEUE, payload=b"", delay_ms=9_000, error="no"),
            "delayed",
        ),
        (scripts.RELEASE, lambda b, d: b.release([d]), "ready"),
    ],
)
def test_what_was_settled_before_is_not_settled_again(
    open_backend: OpenBackend, proxy: Proxy, script: Script, settle: Any, state: str
) -> None:
    behind = open_backend(proxy.port)
    message_id = stored(behind)
    delivery = claimed(behind)
    with proxy.losing_answers_to(script.sha):
        settle(behind, delivery)

    assert found(behind, message_id).state == state
    assert stats_of(behind).died == ({"failed": 1} if state == "dead" else {})


def test_what_was_replayed_discarded_and_adopted_before_is_told_again(
    open_backend: OpenBackend, proxy: Proxy
) -> None:
    behind = open_backend(proxy.port)
    message_id = buried(behind)
    with proxy.losing_answers_to(scripts.REPLAY.sha):
        assert behind.replay(message_id)
    behind.nack(claimed(behind), reason="failed", error=None)
    dead = found(behind, message_id)
    with proxy.losing_answers_to(scripts.DISCARD.sha):
        assert behind.discard(DeadLetterFilter()) == 1
    with proxy.losing_answers_to(scripts.ADOPT.sha):
        assert behind.adopt([dead]) == 1


def test_json_and_other_payloads_have_their_forms(
    backend: BullMQBackend, server: RedisServer, prefix: str
) -> None:
    plain, wrapped = stored(backend, payload=b'{"a":1}'), stored(backend, payload=b"\xff")

    assert json.loads(job_of(server, prefix, plain)["data"]) == {"a": 1}
    assert json.loads(job_of(server, prefix, wrapped)["data"]) == {"payload": "/w=="}
