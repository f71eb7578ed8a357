"""The queues at SQS: found, made and named through dramatiq-sqs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import dramatiq_sqs
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..errors import EngineError
from .clock import ServiceClock

#: How long a connection may take, in seconds.
CONNECT_TIMEOUT_S = 2

#: How long an answer may take beyond the time SQS was asked to wait, in seconds. Twice, with one repetition,
#: it is still less than the 15 seconds for which Twilio waits.
ANSWER_TIMEOUT_S = 3

#: A request is made so often at most. botocore repeats what was throttled, broken off or answered with 5xx.
ATTEMPTS = 2

#: Connections that are kept open. Each consumer occupies one while it waits.
CONNECTIONS = 32

#: What SQS says of a queue that was deleted, or that a service without a memory has forgotten.
GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")

#: What follows a queue's name in that of its dead letters, as dramatiq-sqs has it.
DEAD_LETTERS = "_dlq"


class SQSQueue(NamedTuple):
    """A queue and the one for its dead letters; None where there is none (yet)."""

    name: str
    url: str
    dead_letter_url: str | None


class Queues:
    """Knows the queues of a namespace. Thread-safe.

    Parameters:
      namespace: what their names begin with, and an underscore.
      region, endpoint_url: see `SQSBroker`.
      redrive_after: SQS moves a message to the dead letters when it was handed out more often. Of queues
        made elsewhere the policy they have is kept.
      poll_s: the longest wait that SQS is asked for, in seconds.

    Attributes:
      clock: SQS's, as its answers tell it.
    """

    def __init__(
        self, *, namespace: str, region: str | None, endpoint_url: str | None, redrive_after: int, poll_s: int
    ) -> None:
        self.clock = ServiceClock()
        self._prefix = f"{namespace}_"
        self._redrive_after = redrive_after
        self._options: dict[str, Any] = {
            "namespace": namespace,
            "middleware": [],
            "dead_letter": True,
            "region_name": region,
            "endpoint_url": endpoint_url,
            "config": Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=poll_s + ANSWER_TIMEOUT_S,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                max_pool_connections=CONNECTIONS,
            ),
        }
        self._opening = threading.Lock()
        self._known: dict[str, SQSQueue] = {}
        self._broker: Any = None

    @property
    def client(self) -> Any:
        """boto3's client, which threads may share.

        Raises:
          EngineError: it cannot be made: no region is set, perhaps.
        """
        return self._upstream().sqs.meta.client

    def open(self, name: str) -> SQSQueue:
        """Find a queue, or make it.

        Raises:
          EngineError: it can neither be found nor made.
        """
        queue = self._known.get(name)
        if queue is None:
            upstream = self._upstream()
            with self._opening, self.surfacing():
                upstream.declare_queue(name)
                consumer = upstream.consume(name)  # which sees that both queues are there
                queue = SQSQueue(name, consumer.queue.url, consumer.dead_letter_queue.url)
                self._have_a_redrive_policy(queue)
                self._known[name] = queue
        return queue

    def listed(self) -> list[SQSQueue]:
        """All queues there are in this namespace."""
        with self.surfacing():
            pages = self.client.get_paginator("list_queues").paginate(QueueNamePrefix=self._prefix)
            urls = {url.rpartition("/")[2]: url for page in pages for url in page.get("QueueUrls", ())}
        return [
            SQSQueue(name.removeprefix(self._prefix), url, urls.get(name + DEAD_LETTERS))
            for name, url in sorted(urls.items())
            if name.removesuffix(DEAD_LETTERS) not in urls or not name.endswith(DEAD_LETTERS)
        ]

    @contextmanager
    def surfacing(self) -> Iterator[None]:
        """Around a request: whatever boto3 raises becomes an `EngineError`."""
        try:
            yield
        except ClientError as error:
            if code_of(error) in GONE:
                self.forget()  # the next request finds them, or makes them
            raise EngineError(f"SQS: {error}") from error
        except BotoCoreError as error:
            raise EngineError(f"SQS: {error}") from error

    def forget(self) -> None:
        """Know nothing: no queue, no connection, no lock that somebody else may have held."""
        self._known, self._broker, self._opening = {}, None, threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        if self._broker is not None:
            self.client.close()
            self.forget()

    def _upstream(self) -> Any:
        broker = self._broker
        if broker is None:
            with self._opening, self.surfacing():  # boto3's default session is not made for two at once
                broker = self._broker = self._broker or self._made_upstream()
        return broker

    def _made_upstream(self) -> Any:
        broker = dramatiq_sqs.SQSBroker(**self._options)
        broker.sqs.meta.client.meta.events.register("after-call.sqs", self._learn_the_time)
        return broker

    def _learn_the_time(self, parsed: Any, **_: Any) -> None:
        """Called by botocore with each answer."""
        self.clock.learn(parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date"))

    def _have_a_redrive_policy(self, queue: SQSQueue) -> None:
        """dramatiq-sqs makes a queue for dead letters, and does not tell SQS that it is one."""
        if "RedrivePolicy" in self._attributes(queue.url, "RedrivePolicy"):
            return
        target = self._attributes(str(queue.dead_letter_url), "QueueArn")["QueueArn"]
        policy = {"deadLetterTargetArn": target, "maxReceiveCount": str(self._redrive_after)}
        self.client.set_queue_attributes(QueueUrl=queue.url, Attributes={"RedrivePolicy": json.dumps(policy)})

    def _attributes(self, url: str, *names: str) -> dict[str, str]:
        found = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
        return dict(found.get("Attributes", {}))

    def counts(self, url: str) -> tuple[int, int, int]:
        """How many messages are ready, delayed and running, as far as SQS knows."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        )
        with self.surfacing():
            found = self._attributes(url, *names)
        ready, delayed, running = (int(found.get(name, 0)) for name in names)
        return ready, delayed, running


def code_of(error: ClientError) -> str:
    """What SQS calls the error."""
    return str(error.response.get("Error", {}).get("Code"))
