"""The verbs of a queue, as far as SQS has them."""

from __future__ import annotations

import asyncio
import logging
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime

from botocore.exceptions import ClientError
from dramatiq.errors import BrokerError
from dramatiq_sqs.broker import MAX_DELAY_SECONDS, MAX_MESSAGE_SIZE_BYTES, MAX_PREFETCH, MAX_WAIT_TIME_SECONDS

from ..backend import BOUNDLESS, Capabilities, Room
from ..errors import EngineError, MessageTooLarge
from ..forks import abandon_in_children
from ..interrupts import is_exposed
from ..records import Delivery, QueueMessage, QueueStats, Reason
from .leases import Lease, Leases
from .messages import ERROR_LENGTH, delivery_of, lasting, plain, whole_seconds
from .queues import GONE, Queues, SQSQueue, code_of
from .unsupported import WithoutLookups, unsupported

logger = logging.getLogger(__name__)

#: What attributes may take of a message's size, in bytes.
ATTRIBUTES_BYTES = 5_120

#: The largest encoded message SQS takes, in bytes: it is sent in base64, with its attributes.
LARGEST_BYTES = (MAX_MESSAGE_SIZE_BYTES - ATTRIBUTES_BYTES) * 3 // 4

#: How much earlier than it is due a message may run, because clocks differ, in milliseconds.
EARLY_MS = 1_000

#: Requests of callers who may not be interrupted, or not be blocked, go through so many threads at most.
THREADS = 16

#: What SQS says of a receipt that is worth nothing any more.
STALE = {"ReceiptHandleIsInvalid", "InvalidParameterValue", *GONE}


class SQSBackend(WithoutLookups):
    """A `QueueBackend` on Amazon SQS, and what SQS cannot do raises `Unsupported`.

    dramatiq-sqs names and makes the queues, and has the format of messages. Its consumer is not used: it
    passes over what it cannot decode, abandons acks when a connection breaks, and gives no dead letter a
    reason.

    Parameters: see `SQSBroker`.

    Raises:
      ValueError: the visibility timeout or the poll is out of bounds.
    """

    capabilities = Capabilities(
        looks_up=False,
        dead_letters=False,
        unique_ids=False,
        unique_keys=False,
        pauses=False,
        moves=False,
        hands_out_once=False,
        counts_crashes=False,
        asks_the_kernel=False,
        priorities=False,
        in_due_order=False,
        wakes=False,
        exact=False,
        costs=True,
        is_remote=True,
        lookup_page=250,
    )

    def __init__(
        self,
        *,
        namespace: str = "recado",
        region: str | None = None,
        endpoint_url: str | None = None,
        visibility_timeout_s: int = 30,
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
        poll_s: int = 4,
    ) -> None:
        if not 2 <= visibility_timeout_s <= 12 * 3600:
            raise ValueError("visibility_timeout_s must be between 2 seconds and 12 hours")
        if not 0 <= poll_s <= MAX_WAIT_TIME_SECONDS:
            raise ValueError(f"poll_s must be between 0 and {MAX_WAIT_TIME_SECONDS} seconds")
        # The worker that receives a message for the last time makes it a dead letter with its reason. SQS
        # moves only messages that no worker lived to move, and has to be told to: a redrive starts from such
        # queues alone.
        self._queues = Queues(
            namespace=namespace,
            region=region,
            endpoint_url=endpoint_url,
            redrive_after=2 * max_deliveries,
            poll_s=poll_s,
        )
        self._visibility_timeout_s = visibility_timeout_s
        self.max_deliveries = max_deliveries
        self._max_message_bytes = min(max_message_bytes, LARGEST_BYTES)
        self._poll_s = poll_s
        self._begin()
        abandon_in_children(self)

    def _begin(self) -> None:
        self._leases = Leases(self._renew, visibility_timeout_s=self._visibility_timeout_s)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recado-sqs")

    def abandon(self) -> None:
        """In a forked child: connections, threads and leases are the parent's."""
        self._queues.forget()
        self._begin()

    # -- enqueueing ---------------------------------------------------------------------------------

    def enqueue(self, message: QueueMessage) -> bool:
        """Have SQS store a message. It knows no ids of ours: the same one twice is there twice.

        Raises:
          Unsupported: it has a unique key.
          MessageTooLarge: it is over the limit, SQS's or `max_message_bytes`.
          EngineError: it could not be stored.
        """
        if is_exposed():  # an interrupt must not hit a thread in the middle of a shared connection
            return self._threads.submit(self._enqueue, message).result()
        return self._enqueue(message)

    async def enqueue_async(self, message: QueueMessage) -> bool:
        return await asyncio.wrap_future(self._threads.submit(self._enqueue, message))

    def _enqueue(self, message: QueueMessage) -> bool:
        if message.unique_key is not None:
            unsupported("SQS knows no unique keys: let the actor find out that its work is done already.")
        attributes = {"actor": message.actor, "message_id": message.message_id}
        if message.waited_ms:
            attributes["enqueued_at"] = str(self.now_ms() - message.waited_ms)
        self._store(message.queue, message.payload, message.delay_ms, attributes)
        return True

    def holder_of(self, unique_key: str) -> str | None:  # noqa: ARG002
        unsupported("SQS knows no unique keys.")

    # -- consuming ----------------------------------------------------------------------------------

    def dequeue(
        self,
        queue: str,
        *,
        limit: int,
        timeout_s: float,  # noqa: ARG002
        room: Room = BOUNDLESS,
    ) -> list[Delivery]:
        """Receive up to `limit` messages, at most ten.

        Waits for `poll_s`, whatever `timeout_s` says: every request is paid for. Room is asked for once they
        have come, and what there is none for goes back: otherwise one queue would keep it from the others
        for as long as it waits.
        """
        opened = self._queues.open(queue)
        with self._queues.surfacing():
            received = self._queues.client.receive_message(
                QueueUrl=opened.url,
                MaxNumberOfMessages=min(limit, MAX_PREFETCH),
                WaitTimeSeconds=self._poll_s,
                VisibilityTimeout=self._visibility_timeout_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        claimed_at, claimed_s = self.now_ms(), time.monotonic()
        deliveries = [
            delivery_of(opened, message, claimed_at)._replace(claimed_s=claimed_s)
            for message in received.get("Messages", ())
        ]
        self._leases.hold(Lease.of(opened, message) for message in received.get("Messages", ()))
        due = [self._counted(delivery) for delivery in deliveries if self._is_to_be_handed_out(delivery)]
        count = room.take(len(due))
        if due[count:]:
            try:
                self.release(due[count:])
            except EngineError as error:  # their leases end, and whoever receives them next runs them
                logger.warning("%d message(s) cannot be given back now: %s", len(due) - count, error)
        return due[:count]

    def _counted(self, delivery: Delivery) -> Delivery:
        """Mark a message that was received once too often: it is not run again, but set aside."""
        worn_out = delivery.deliveries > self.max_deliveries
        return delivery._replace(crashes=self.max_deliveries) if worn_out else delivery

    def _is_to_be_handed_out(self, delivery: Delivery) -> bool:
        """Whether a message is due, and worth another try. If not, it is taken care of."""
        early_ms = delivery.due_at - delivery.now_ms
        try:
            if early_ms > EARLY_MS:  # SQS delays for a quarter of an hour at most: once more, then
                self._replace(delivery, delivery.queue, delivery.payload, early_ms)
                return False
            if delivery.deliveries > self.max_deliveries + 1:  # it was not even set aside the last time
                self.nack(delivery, reason="max_deliveries", error=None)
                return False
        except BrokerError as error:  # its lease ends, and whoever receives it next tries again
            logger.warning("Message %s cannot be put aside now: %s", delivery.message_id, error)
            self._leases.let_go(self._lease(delivery))
            return False
        return True

    def started(self, delivery: Delivery) -> None:
        """Nothing to note: SQS counts deliveries, and not what became of them."""

    def _lease(self, delivery: Delivery) -> Lease:
        """Return what is known of a delivery: of one that is not held any more, what the delivery says."""
        held = self._leases.of(str(delivery.receipt))
        if held is not None:
            return held
        url = self._queues.open(delivery.queue).url
        return Lease(url, str(delivery.receipt), b64encode(delivery.payload).decode(), {})

    def ack(self, delivery: Delivery) -> None:
        lease = self._lease(delivery)
        with self._queues.surfacing():
            try:
                self._queues.client.delete_message(QueueUrl=lease.url, ReceiptHandle=lease.receipt)
            except ClientError as error:
                if code_of(error) not in STALE:
                    raise
                # There is nothing left to delete under this receipt, however often it is tried.
                logger.warning("Message %s was not ours any more: %s", delivery.message_id, error)
        self._leases.let_go(lease)

    def nack(self, delivery: Delivery, *, reason: Reason, error: str | None) -> None:
        """Send the message to its queue's dead letters, with the reason and the end of the error."""
        lease = self._lease(delivery)
        if not lease.replaced:
            attributes = lasting(lease.attributes) | {
                "reason": reason,
                "error": (error or "")[-ERROR_LENGTH:],
            }
            url = self._queues.open(delivery.queue).dead_letter_url
            self._send(str(url), lease.body, 0, attributes)
            lease.replaced = True
        self.ack(delivery)

    def retry(
        self,
        delivery: Delivery,
        *,
        queue: str,
        payload: bytes,
        delay_ms: int,
        error: str | None,  # noqa: ARG002
    ) -> None:
        """Store the changed message, then delete this one. A crash between the two makes one too many."""
        self._replace(delivery, queue, payload, delay_ms)

    def _replace(self, delivery: Delivery, queue: str, payload: bytes, delay_ms: int) -> None:
        lease = self._lease(delivery)
        if not lease.replaced:  # a second call is for the deletion that failed at the first
            first = {"enqueued_at": str(delivery.enqueued_at)}  # SQS dates what takes its place anew
            self._store(queue, payload, delay_ms, lasting(lease.attributes) | first)
            lease.replaced = True
        self.ack(delivery)

    def release(self, deliveries: Sequence[Delivery], *, delay_ms: int = 0) -> None:
        """Make messages visible again. SQS counts their deliveries all the same."""
        for url, leases in _by_queue(map(self._lease, deliveries)):
            for lease in leases:
                self._leases.let_go(lease)
            # One that fails here comes back by itself, when its lease ends.
            self._change_visibility(url, leases, whole_seconds(delay_ms))

    def now_ms(self) -> int:
        """The time by SQS's clock, to the second where this machine's differs from it."""
        return self._queues.clock.now_ms()

    def sync(self) -> None:
        """Nothing to wait for: an ack returns when SQS has it."""

    # -- operating ----------------------------------------------------------------------------------

    def stats(self) -> Sequence[QueueStats]:
        """Every queue of the namespace, as SQS counts it: approximately."""
        return [self._count(queue) for queue in self._queues.listed()]

    def _count(self, queue: SQSQueue) -> QueueStats:
        ready, delayed, running = self._queues.counts(queue.url)
        dead = 0 if queue.dead_letter_url is None else sum(self._queues.counts(queue.dead_letter_url))
        return QueueStats(
            queue.name, ready, delayed, running, dead, done=None, oldest_due_at=None, paused=False
        )

    def flush(self, queue: str) -> None:
        """Have SQS purge a queue and its dead letters, which it does once in 60 seconds at most."""
        opened = self._queues.open(queue)
        with self._queues.surfacing():
            for url in (opened.url, opened.dead_letter_url):
                self._queues.client.purge_queue(QueueUrl=url)

    def report_death(self, pid: int) -> None:
        """Nothing to give back: nobody else knows what SQS calls the dead process's deliveries."""

    def check(self, *, timeout_s: float) -> None:
        """Prove that SQS answers a request, under our credentials. That it stores is proved by storing only.

        Raises:
          EngineError: it did not within `timeout_s` seconds; the message says why.
        """
        asking = self._threads.submit(self._queues.listed)
        try:
            asking.result(timeout_s)
        except OutOfTime:
            asking.cancel()
            raise EngineError(f"SQS did not answer within {timeout_s:g} s") from None

    def close(self) -> None:
        self._leases.close()
        self._threads.shutdown()
        self._queues.close()

    # -- requests -----------------------------------------------------------------------------------

    def _store(self, queue: str, payload: bytes, delay_ms: int, attributes: Mapping[str, str]) -> None:
        MessageTooLarge.refuse(payload, queue=queue, limit=self._max_message_bytes)
        if delay_ms:
            attributes = {**attributes, "due_at": str(self.now_ms() + delay_ms)}
        self._send(self._queues.open(queue).url, b64encode(payload).decode(), delay_ms, attributes)

    def _send(self, url: str, body: str, delay_ms: int, attributes: Mapping[str, str]) -> None:
        with self._queues.surfacing():
            try:
                self._queues.client.send_message(
                    QueueUrl=url,
                    MessageBody=body,
                    DelaySeconds=min(whole_seconds(delay_ms), MAX_DELAY_SECONDS),
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": plain(value)}
                        for name, value in attributes.items()
                    },
                )
            except ClientError as error:
                if code_of(error) != "InvalidParameterValue":
                    raise
                # All parameters but the size are ours, and right: this queue takes less than SQS does.
                raise MessageTooLarge(f"SQS refuses a message of {len(body):,} bytes: {error}") from error

    def _renew(self, url: str, leases: Sequence[Lease]) -> Sequence[Lease]:
        return self._change_visibility(url, leases, self._visibility_timeout_s)

    def _change_visibility(self, url: str, leases: Sequence[Lease], timeout_s: int) -> Sequence[Lease]:
        """Hide messages for so long from now on; returns those that are not ours any more."""
        lost: list[Lease] = []
        for start in range(0, len(leases), MAX_PREFETCH):
            batch = leases[start : start + MAX_PREFETCH]
            with self._queues.surfacing():
                answer = self._queues.client.change_message_visibility_batch(
                    QueueUrl=url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": lease.receipt, "VisibilityTimeout": timeout_s}
                        for number, lease in enumerate(batch)
                    ],
                )
            lost += [batch[int(each["Id"])] for each in answer.get("Failed", ()) if each.get("SenderFault")]
        return lost


def _by_queue(leases: Iterable[Lease]) -> Iterator[tuple[str, list[Lease]]]:
    by_queue: dict[str, list[Lease]] = {}
    for lease in leases:
        by_queue.setdefault(lease.url, []).append(lease)
    yield from by_queue.items()
