"""Recado in one process, with all of its databases in one folder, and with Twilio around it."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from queue import PriorityQueue
from typing import Any

import structlog
from dramatiq.worker import ConsumerThread, WorkerThread

import actors.services
from actors.channels.twilio import inbound
from actors.chores import Chores
from actors.conversations import SQLiteConversationStore
from actors.engines import hold_policy
from actors.exposition import Exposition
from actors.startup import Startup
from api.audit_log import AuditLog
from api.dashboard.access.sign_outs import SignOuts
from brokers import spool as spool_module
from brokers.delegate import Delegate
from brokers.durable import DurableBroker
from brokers.errors import EngineError
from brokers.records import DeadLetterFilter, QueueMessage
from brokers.spool import SPOOL, SpooledBackend
from brokers.sqlite import SQLiteBackend

#: The account, ours and theirs.
ACCOUNT, TOKEN = "AC" + "7" * 32, "0123456789abcdef0123456789abcdef"

#: The queues of what is tried here.
QUEUES = ("messages", "replies")

#: How long it may take to work everything off, in seconds. A deadline, and not a measure.
WORKED_OFF_WITHIN_S = 60.0


def settings(twilio_url: str) -> Mapping[str, str]:
    """The environment variables."""
    return {
        "AI_PROVIDER": "echo",
        "DELIVERY_CHECK_AFTER_S": "0",
        "MESSAGE_MIN_BACKOFF_MS": "5",
        "MESSAGE_MAX_BACKOFF_MS": "10",
        "METRICS_PORT": "0",
        "PUBLIC_BASE_URL": "https://recado.example.com",
        "REPLY_GATHER_MS": "10",
        "REPLY_RECONCILE_DELAYS_S": "0,0",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_API_BASE_URL": twilio_url,
        "TWILIO_AUTH_TOKEN": TOKEN,
    }


def settle_in(twilio_url: str) -> actors.services.Services:
    """Set this process up: once, before the first installation."""
    os.environ.update(settings(twilio_url))
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    spool_module.IDLE_S = 0.02  # how long closing may wait for the forwarder
    broker = actors.services.broker
    broker.middleware = [
        each for each in broker.middleware if not isinstance(each, Startup | Exposition | Chores)
    ]
    return actors.services.services()


class Away(Delegate):
    """An engine that is away at times.

    Attributes:
      is_away: it is.
    """

    is_away = False

    async def enqueue_async(self, message: QueueMessage) -> bool:
        self._look()
        return await self._engine.enqueue_async(message)

    def check(self, *, timeout_s: float) -> None:
        self._look()
        self._engine.check(timeout_s=timeout_s)

    def _look(self) -> None:
        if self.is_away:
            raise EngineError("The queue is away")


class Installation:
    """The databases in a folder, opened.

    Parameters:
      directory: the folder.
      base: what `settle_in` returned.

    Attributes:
      queue: for workers. The API has its own way to it, through the spool.
      engine: that way's end, which can be away.
      api: the broker of the API.
    """

    def __init__(self, directory: Path, base: actors.services.Services) -> None:
        self.queue = SQLiteBackend(directory / "queue.db")
        self.engine = Away(SQLiteBackend(directory / "queue.db"))
        self.spool = SQLiteBackend(directory / "spool.db")
        self.spooled = SpooledBackend(self.engine, self.spool)
        self.audit = AuditLog(directory / "audit.db", logs=False)
        self.sign_outs = SignOuts(directory / "audit.db")
        self.conversations = SQLiteConversationStore(directory / "conversations.db")
        self.broker = base.broker
        self.broker.abandon()
        self.broker.backend = self.queue
        services = replace(
            base, conversations=self.conversations, hold_policy=hold_policy(base.settings, self.broker)
        )
        _put_in_place_of_services(services)
        self.api = DurableBroker(self.spooled, middleware=[])
        for queue in self.broker.get_declared_queues():
            self.api.declare_queue(queue)

    def work_off(self) -> None:
        """Run everything that waits, one after another, as a worker does, until nothing is left."""
        work: PriorityQueue[Any] = PriorityQueue()
        consumers = {}
        for queue in QUEUES:
            consumers[queue] = ConsumerThread(
                broker=self.broker, queue_name=queue, prefetch=8, work_queue=work, worker_timeout=0
            )
            consumers[queue].consumer = self.broker.consume(queue, prefetch=8, timeout=0)
        worker = _Worker(broker=self.broker, consumers=consumers, work_queue=work, worker_timeout=0)
        deadline = time.monotonic() + WORKED_OFF_WITHIN_S
        while self.waiting():
            assert time.monotonic() < deadline, f"still waiting: {self.queue.stats()} {self.spool.stats()}"
            if not any([worker.run_all(consumers[queue]) for queue in QUEUES]):  # noqa: C419  each has a turn
                time.sleep(0.002)
        for each in consumers.values():
            each.close()

    def waiting(self) -> int:
        """How many messages are ready, delayed or running, here or in the spool."""
        self.queue.sync()
        stats = [*self.queue.stats(), *self.spool.stats()]
        return sum(each.ready + each.delayed + each.running for each in stats)

    def has(self, payload: Mapping[str, str]) -> bool:
        """Whether an inbound message is there: in the queue, in the spool, or in its conversation."""
        message = inbound.read(payload)
        return (
            self.queue.get(message.message_id) is not None
            or message.message_id in self._spooled()
            or self.conversations.text_of(ACCOUNT, message.external_id) is not None
        )

    def _spooled(self) -> set[str]:
        return {
            stored.message_id
            for state in ("ready", "running", "delayed")
            for stored in self.spool.list(SPOOL, state, limit=1000)
        }

    def told(self) -> str:
        """What people are told could not be done: what dead letters are about, and what needs attention."""
        letters = [
            *self.queue.dead_letters(DeadLetterFilter(), limit=1000),
            *self.spool.dead_letters(DeadLetterFilter()),
        ]
        return "\n".join(self._about(json.loads(letter.payload)) for letter in letters)

    def _about(self, message: Mapping[str, Any]) -> str:
        subject = message["args"][0]
        reply = None if isinstance(subject, dict) else self.conversations.reply(subject)
        return str(subject) if reply is None else reply.body

    def story(self) -> str:
        """All that was said, to find out by what went wrong."""
        reader = self.conversations.reader
        return str([reader.thread(each.conversation, limit=100) for each in reader.conversations(limit=100)])

    def close(self) -> None:
        for each in (self.spooled, self.queue, self.audit, self.sign_outs, self.conversations):
            each.close()


class _Worker(WorkerThread):
    """Dramatiq's own, without a thread."""

    def run_all(self, consumer: ConsumerThread) -> bool:
        """Run what one queue has now; tell whether it had anything."""
        assert consumer.consumer is not None
        ran = False
        while (message := next(consumer.consumer)) is not None:
            self.work_queue.unfinished_tasks += 1  # which it says is done
            self.process_message(message)
            ran = True
        return ran


_original = actors.services.services
_current: list[actors.services.Services] = []


def _put_in_place_of_services(services: actors.services.Services) -> None:
    """Have all actors work with these."""
    _current[:] = [services]
    for name, module in list(sys.modules.items()):
        if name.startswith(("actors", "api")) and vars(module).get("services") is _original:
            vars(module)["services"] = lambda: _current[0]
