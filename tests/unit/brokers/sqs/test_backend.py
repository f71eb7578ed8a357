"""What the SQS engine makes of a queue's verbs."""

from __future__ import annotations

import asyncio
import json
import os
import time
from base64 import b64decode, b64encode
from typing import Any

import dramatiq_sqs
import pytest
from dramatiq import Message

import brokers.sqs.backend
from brokers.errors import EngineError, MessageTooLarge, Unsupported
from brokers.records import DeadLetterFilter, Delivery
from brokers.sqs import SQSBackend, SQSBroker
from brokers.sqs.backend import LARGEST_BYTES
from brokers.sqs.clock import ServiceClock
from brokers.sqs.leases import Lease
from tests.support.messages import QUEUE, a_message, claimable, claimed, stats_of, stored
from tests.support.ports import free_port
from tests.support.sqs_server import REGION, SQSServer
from tests.support.waiting import eventually

from .conftest import OpenBackend


def a_payload(**fields: Any) -> bytes:
    """An encoded message of Dramatiq's."""
    parts: dict[str, Any] = {
        "queue_name": QUEUE,
        "actor_name": "work",
        "args": (),
        "kwargs": {},
        "options": {},
    }
    return Message(**{**parts, **fields}).encode()


def letters(sqs: SQSServer, namespace: str) -> list[dict[str, Any]]:
    """What is in the dead-letter queue, with its attributes as plain text."""
    client = sqs.client()
    url = client.get_queue_url(QueueName=f"{namespace}_{QUEUE}_dlq")["QueueUrl"]
    found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    return [
        {"body": b64decode(each["Body"])}
        | {name: value["StringValue"] for name, value in each["MessageAttributes"].items()}
        for each in found.get("Messages", [])
    ]


def counts(backend: SQSBackend) -> tuple[int, int, int, int]:
    stats = stats_of(backend)
    return stats.ready, stats.delayed, stats.running, stats.dead


# -- enqueueing ----------------------------------------------------------------------------------------


def lease_of(backend: SQSBackend, delivery: Delivery) -> Lease:
    lease = backend._leases.of(str(delivery.receipt))
    assert lease is not None
    return lease


def test_a_message_is_handed_out_as_it_was_stored(backend: SQSBackend) -> None:
    message_id = stored(backend, payload=b"\x00 anything")

    delivery = claimed(backend)

    assert (delivery.message_id, delivery.payload, delivery.deliveries) == (message_id, b"\x00 anything", 1)
    assert abs(delivery.enqueued_at / 1000 - time.time()) < 60
    assert delivery.due_at == delivery.enqueued_at


def test_a_coroutine_stores_too(backend: SQSBackend) -> None:
    assert asyncio.run(backend.enqueue_async(a_message()))

    assert counts(backend) == (1, 0, 0, 0)


def test_dramatiq_sqs_reads_what_is_stored_and_what_it_stores_is_read(
    backend: SQSBackend, sqs: SQSServer, namespace: str
) -> None:
    upstream = dramatiq_sqs.SQSBroker(
        namespace=namespace, middleware=[], region_name=REGION, endpoint_url=sqs.url
    )
    upstream.declare_queue(QUEUE)

    upstream.enqueue(Message.decode(a_payload(args=("theirs",))))
    delivery = claimed(backend)
    assert Message.decode(delivery.payload).args == ("theirs",)
    backend.ack(delivery)

    stored(backend, payload=a_payload(args=("ours",)))
    assert next(upstream.consume(QUEUE, timeout=1_000)).args == ("ours",)
    upstream.sqs.meta.client.close()


def test_a_message_over_the_limit_is_refused(open_backend: OpenBackend) -> None:
    with pytest.raises(MessageTooLarge):
        stored(open_backend(max_message_bytes=100), payload=b"x" * 101)
    backend = open_backend(max_message_bytes=10 * LARGEST_BYTES)
    with pytest.raises(MessageTooLarge):
        stored(backend, payload=b"x" * (LARGEST_BYTES + 1))
    stored(backend, payload=b"x" * LARGEST_BYTES)
    assert len(claimed(backend).payload) == LARGEST_BYTES


def test_a_message_over_the_limit_of_its_queue_is_refused(
    backend: SQSBackend, sqs: SQSServer, namespace: str
) -> None:
    client = sqs.client()
    url = client.create_queue(QueueName=f"{namespace}_{QUEUE}", Attributes={"MaximumMessageSize": "2048"})
    assert url

    with pytest.raises(MessageTooLarge, match="2048"):
        stored(backend, payload=b"x" * 2_048)


def test_a_unique_key_is_refused_rather_than_ignored(backend: SQSBackend) -> None:
    with pytest.raises(Unsupported, match="unique"):
        stored(backend, unique_key="one", unique_for_ms=1_000)


def test_texts_that_sqs_would_refuse_are_made_fit(backend: SQSBackend) -> None:
    stored(backend, message_id="SM\x00 \ud800 é", actor="")

    assert claimed(backend).message_id == "SM    \\xe9"


# -- delays --------------------------------------------------------------------------------------------


def test_a_delay_is_rounded_up_to_whole_seconds(backend: SQSBackend) -> None:
    stored(backend, delay_ms=1)
    assert counts(backend) == (0, 1, 0, 0)

    began = time.monotonic()
    eventually(lambda: claimable(backend))

    assert time.monotonic() - began > 0.5


def test_a_delay_over_the_longest_of_sqs_is_made_of_several(
    backend: SQSBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers.sqs.backend, "MAX_DELAY_SECONDS", 1)
    monkeypatch.setattr(brokers.sqs.backend, "EARLY_MS", 0)
    message_id, began = stored(backend, delay_ms=3_000), time.monotonic()

    assert eventually(lambda: claimable(backend)) == [message_id]

    assert time.monotonic() - began >= 2.9


# -- settling ------------------------------------------------------------------------------------------


def test_what_is_acked_is_gone(backend: SQSBackend) -> None:
    stored(backend)
    delivery = claimed(backend)
    assert counts(backend) == (0, 0, 1, 0)

    backend.ack(delivery)
    backend.ack(delivery)  # again, because no answer came the first time

    assert counts(backend) == (0, 0, 0, 0)


def test_what_is_not_held_any_more_is_acked_without_effect(
    backend: SQSBackend, sqs: SQSServer, caplog: pytest.LogCaptureFixture
) -> None:
    """An error would be a reason to try again, for ever."""
    stored(backend)
    delivery = claimed(backend)
    sqs.client().delete_queue(QueueUrl=lease_of(backend, delivery).url)

    backend.ack(delivery)

    assert "not ours any more" in caplog.text


def test_a_retry_replaces_the_message(backend: SQSBackend) -> None:
    message_id = stored(backend)

    backend.retry(claimed(backend), queue="other", payload=b"changed", delay_ms=0, error=None)

    delivery = claimed(backend, "other")
    assert (delivery.message_id, delivery.payload, delivery.deliveries) == (message_id, b"changed", 1)
    assert counts(backend) == (0, 0, 0, 0)


def test_a_retry_whose_deletion_failed_is_not_stored_twice(
    backend: SQSBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(backend)
    delivery = claimed(backend)
    with monkeypatch.context() as patch:
        patch.setattr(backend, "ack", _fail)
        with pytest.raises(EngineError):
            backend.retry(delivery, queue=QUEUE, payload=b"changed", delay_ms=0, error=None)
    assert counts(backend) == (1, 0, 1, 0)

    backend.retry(delivery, queue=QUEUE, payload=b"changed", delay_ms=0, error=None)

    assert counts(backend) == (1, 0, 0, 0)


def test_what_is_given_back_is_handed_out_at_once_or_when_it_was_said(backend: SQSBackend) -> None:
    for _ in range(12):
        stored(backend)
    deliveries = backend.dequeue(QUEUE, limit=10, timeout_s=0) + backend.dequeue(QUEUE, limit=10, timeout_s=0)
    assert len(deliveries) == 12

    backend.release(deliveries[1:])
    backend.release(deliveries[:1], delay_ms=60_000)

    assert counts(backend) == (11, 0, 1, 0)
    assert claimed(backend).deliveries == 2, "SQS counts it"


def test_a_dead_letter_has_its_reason_and_the_end_of_its_error(
    backend: SQSBackend, sqs: SQSServer, namespace: str
) -> None:
    message_id = stored(backend, payload=b"{}")

    backend.nack(claimed(backend), reason="failed", error="Traceback\n" * 1_000 + "ValueError: \x1b no")

    [letter] = letters(sqs, namespace)
    assert (letter["body"], letter["message_id"], letter["actor"]) == (b"{}", message_id, "work")
    assert letter["reason"] == "failed"
    assert letter["error"].endswith("ValueError:   no")
    assert len(letter["error"]) <= 2_000
    assert counts(backend) == (0, 0, 0, 1)


def test_what_is_no_message_is_handed_on_as_it_is(
    backend: SQSBackend, sqs: SQSServer, namespace: str
) -> None:
    stored(backend)
    backend.ack(claimed(backend))
    client = sqs.client()
    url = client.get_queue_url(QueueName=f"{namespace}_{QUEUE}")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="no base64!")

    delivery = claimed(backend)
    assert delivery.payload == b"no base64!"
    backend.nack(delivery, reason="undecodable", error=None)

    assert counts(backend) == (0, 0, 0, 1)


def test_a_redriven_dead_letter_has_a_fresh_record(
    backend: SQSBackend, sqs: SQSServer, namespace: str
) -> None:
    old = a_payload(message_timestamp=1, options={"retries": 8, "traceback": "...", "own": 1})
    stored(backend, payload=old)
    backend.nack(claimed(backend), reason="failed", error=None)
    client = sqs.client()
    url = client.get_queue_url(QueueName=f"{namespace}_{QUEUE}")["QueueUrl"]
    reason = {"reason": {"DataType": "String", "StringValue": "failed"}}

    client.send_message(QueueUrl=url, MessageBody=b64encode(old).decode(), MessageAttributes=reason)
    delivery = claimed(backend)
    message = Message.decode(delivery.payload)
    assert message.options == {"own": 1, "replayed": True}
    assert time.time() - message.message_timestamp / 1000 < 60

    backend.retry(delivery, queue=QUEUE, payload=delivery.payload, delay_ms=0, error=None)
    assert claimed(backend).payload == delivery.payload, "once: a retry is none of a person's"


# -- leases --------------------------------------------------------------------------------------------


def test_a_lease_is_renewed_while_its_process_lives(open_backend: OpenBackend) -> None:
    holder, other = open_backend(visibility_timeout_s=4), open_backend()
    stored(holder)
    delivery = claimed(holder)

    for _ in range(9):  # each waits for a second, so two leases would have ended
        assert claimable(other) == []

    holder.ack(delivery)
    assert counts(other) == (0, 0, 0, 0)


def test_what_a_dead_process_held_is_handed_out_again(open_backend: OpenBackend) -> None:
    holder, other = open_backend(visibility_timeout_s=2), open_backend()
    stored(holder)
    claimed(holder)

    holder.close()  # it renews nothing any more

    assert eventually(lambda: other.dequeue(QUEUE, limit=1, timeout_s=1))[0].deliveries == 2


def test_a_lost_lease_is_noted_and_renewed_no_more(
    backend: SQSBackend, sqs: SQSServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    stored(backend)
    delivery = claimed(backend)
    sqs.client().delete_message(QueueUrl=lease_of(backend, delivery).url, ReceiptHandle=str(delivery.receipt))
    lease_of(backend, delivery).renewed_at -= 60

    backend._leases.renew()
    backend._leases.renew()

    assert caplog.text.count("others may run it too") == 1


def test_a_message_handed_out_too_often_is_set_aside(
    open_backend: OpenBackend, sqs: SQSServer, namespace: str
) -> None:
    backend = open_backend(max_deliveries=2)
    stored(backend)
    for _ in range(2):
        backend.release([claimed(backend)])

    told = claimed(backend)
    assert told.crashes == backend.max_deliveries, "it is handed out once more, and not to be run"
    backend.release([told])
    assert claimable(backend) == []

    [letter] = letters(sqs, namespace)
    assert letter["reason"] == "max_deliveries"


def test_a_forked_child_shares_nothing_with_its_parent(backend: SQSBackend) -> None:
    stored(backend)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            stored(backend)
            backend.ack(claimed(backend))
            backend.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    assert counts(backend) == (1, 0, 0, 0)


# -- queues --------------------------------------------------------------------------------------------


def test_sqs_is_told_which_queue_is_for_dead_letters(
    backend: SQSBackend, sqs: SQSServer, namespace: str
) -> None:
    stored(backend)

    policy = _policy(sqs, f"{namespace}_{QUEUE}")
    assert policy["deadLetterTargetArn"].endswith(f":{namespace}_{QUEUE}_dlq")
    assert int(policy["maxReceiveCount"]) == 10, "twice as often as Recado hands it out"


def test_a_policy_that_is_there_is_kept(backend: SQSBackend, sqs: SQSServer, namespace: str) -> None:
    client = sqs.client()
    url = client.create_queue(QueueName=f"{namespace}_elsewhere")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    own = {"deadLetterTargetArn": arn, "maxReceiveCount": "3"}
    client.create_queue(QueueName=f"{namespace}_{QUEUE}", Attributes={"RedrivePolicy": json.dumps(own)})

    stored(backend)

    assert _policy(sqs, f"{namespace}_{QUEUE}") == {**own, "maxReceiveCount": 3}


def test_queues_of_other_namespaces_are_not_counted(open_backend: OpenBackend, namespace: str) -> None:
    stored(open_backend(), queue="ours")
    stored(open_backend(namespace=f"{namespace}-other"), queue="theirs")

    assert [stats.queue for stats in open_backend().stats()] == ["ours"]


def test_a_queue_that_is_gone_is_made_again(backend: SQSBackend, sqs: SQSServer, namespace: str) -> None:
    stored(backend)
    client = sqs.client()
    client.delete_queue(QueueUrl=client.get_queue_url(QueueName=f"{namespace}_{QUEUE}")["QueueUrl"])

    with pytest.raises(EngineError):
        stored(backend)
    stored(backend)

    assert counts(backend) == (1, 0, 0, 0)


def test_what_is_not_counted_is_not_made_up(backend: SQSBackend) -> None:
    stored(backend)

    assert (stats_of(backend).done, stats_of(backend).oldest_due_at) == (None, None)


def test_a_queue_is_emptied_with_its_dead_letters(backend: SQSBackend) -> None:
    stored(backend)
    backend.nack(claimed(backend), reason="failed", error=None)
    stored(backend)

    backend.flush(QUEUE)

    assert counts(backend) == (0, 0, 0, 0)


# -- what goes wrong -----------------------------------------------------------------------------------


def test_an_endpoint_that_is_not_there_is_an_engine_that_is_away(open_backend: OpenBackend) -> None:
    backend = open_backend(endpoint_url=f"http://127.0.0.1:{free_port()}")

    for request in (
        lambda: stored(backend),
        lambda: claimed(backend),
        backend.stats,
        lambda: backend.check(timeout_s=10),
    ):
        with pytest.raises(EngineError, match="connect"):
            request()


def test_a_check_waits_no_longer_than_it_may(backend: SQSBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.check(timeout_s=10)
    monkeypatch.setattr(backend._queues, "listed", lambda: time.sleep(1))

    with pytest.raises(EngineError, match=r"within 0\.1 s"):
        backend.check(timeout_s=0.1)


def test_a_missing_region_is_said(open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)

    with pytest.raises(EngineError, match="region"):
        open_backend(region=None).check(timeout_s=10)


@pytest.mark.parametrize(
    "verb",
    [
        lambda backend: backend.get("an-id"),
        lambda backend: backend.holder_of("key"),
        lambda backend: backend.list(QUEUE, "ready", limit=1),
        lambda backend: backend.dead_letters(DeadLetterFilter()),
        lambda backend: backend.replay("an-id", payload=b""),
        lambda backend: backend.discard(DeadLetterFilter()),
        lambda backend: backend.adopt([]),
        lambda backend: backend.remove([]),
        lambda backend: backend.pause(QUEUE),
        lambda backend: backend.resume(QUEUE),
    ],
)
def test_what_sqs_cannot_do_is_said_and_not_pretended(backend: SQSBackend, verb: Any) -> None:
    with pytest.raises(Unsupported):
        verb(backend)


@pytest.mark.parametrize(
    "options", [{"visibility_timeout_s": 1}, {"visibility_timeout_s": 43_201}, {"poll_s": 21}]
)
def test_options_out_of_bounds_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be between"):
        SQSBroker(**options)  # type: ignore[arg-type]


def _policy(sqs: SQSServer, queue: str) -> dict[str, Any]:
    client = sqs.client()
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    policy: dict[str, Any] = json.loads(attributes["RedrivePolicy"])
    return policy


def _fail(*_: object) -> None:
    raise EngineError("SQS is away")


def test_a_retry_keeps_the_time_at_which_its_message_came_in(backend: SQSBackend) -> None:
    stored(backend, waited_ms=60_000)
    first = claimed(backend)
    assert 60_000 <= first.age_ms < 120_000

    backend.retry(first, queue=QUEUE, payload=b"{}", delay_ms=0, error=None)
    assert claimed(backend).enqueued_at == first.enqueued_at


@pytest.mark.parametrize("off_ms", [-86_400_000, 86_400_000])
def test_ages_and_delays_go_by_the_clock_of_sqs(
    backend: SQSBackend, monkeypatch: pytest.MonkeyPatch, off_ms: int
) -> None:
    true_time_ns = time.time_ns
    clock = backend._queues.clock
    monkeypatch.setattr(clock, "_clock", lambda: true_time_ns() // 1_000_000 + off_ms)
    backend.check(timeout_s=20)  # any answer will do
    stored(backend, delay_ms=1_000)

    [delivery] = eventually(lambda: backend.dequeue(QUEUE, limit=1, timeout_s=1))
    assert delivery.age_ms < 600_000
    assert abs(delivery.due_at - true_time_ns() // 1_000_000) < 600_000


@pytest.mark.parametrize("date", [None, "", "soon", "Thu, 99 Foo 1970"])
def test_an_answer_without_a_date_tells_no_time(date: str | None) -> None:
    clock = ServiceClock(lambda: 1_000_000)
    clock.learn(date)
    assert clock.now_ms() == 1_000_000


def test_clocks_that_agree_to_the_second_agree() -> None:
    clock = ServiceClock(lambda: 1_000_000)
    clock.learn("Thu, 01 Jan 1970 00:16:41 GMT")
    assert clock.now_ms() == 1_000_000

    clock.learn("Thu, 01 Jan 1970 01:16:40 GMT")
    assert clock.now_ms() == 1_000_000 + 3_600_500
