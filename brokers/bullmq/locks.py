"""The locks of what this process holds, and what becomes of jobs whose locks have ended."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import EngineError
from ..records import Delivery, Lease
from ..redis.client import RedisClient, explained
from ..redis.scripts import Argument, Call, name_of
from . import scripts

logger = logging.getLogger(__name__)

#: Locks are renewed so many times in the time that they last: two renewals may fail, and nothing is lost.
RENEWALS = 4

#: How long after a failed renewal it is tried again, in seconds.
RETRY_S = 0.5


class Locks:
    """Renews them in a thread of its own, with a connection of its own. A process that dies renews no more.

    At each renewal it also looks for jobs of all queues whose locks have ended, and has BullMQ give them
    back. Any worker of BullMQ's does that too, at longer intervals.

    Parameters:
      client: the way to the server.
      process: this process: its name in locks, its machine, its number there.
      lock_ms: how long a lock lasts, in milliseconds.
      max_deliveries: how many workers may die under a message before it is set aside.
    """

    def __init__(
        self, client: RedisClient, process: tuple[str, str, int], *, lock_ms: int, max_deliveries: int
    ) -> None:
        self._client = client
        self._process = process
        self._lock_ms = lock_ms
        self._max_deliveries = max_deliveries
        self._held: dict[Lease, Delivery] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recado-bullmq-locks", daemon=True)

    def start(self) -> None:
        """Say that this process lives, then go on saying so.

        Raises:
          EngineError: the server is away.
        """
        self.renew()
        self._thread.start()

    def stop(self) -> None:
        """Renew nothing any more. What is still held runs elsewhere when its lock ends."""
        self._stopping.set()
        self._thread.join()

    def hold(self, deliveries: Iterable[Delivery]) -> None:
        """Renew the locks of these from now on."""
        self._held |= {delivery.lease: delivery for delivery in deliveries}

    def let_go(self, delivery: Delivery) -> None:
        """Forget a delivery: it is settled, or given back. Harmless for one that is not held."""
        self._held.pop(delivery.lease, None)

    def renew(self, *, grace_ms: int | None = None) -> None:
        """Renew all locks, then look for those that ended.

        Parameters:
          grace_ms: how long a job has to be without a lock before it is given back, in milliseconds. None for
            as long as a process takes to renew what ended while the server was away.

        Raises:
          EngineError: the server is away.
        """
        held = list(self._held.values())
        grace_ms = self._lock_ms // RENEWALS if grace_ms is None else grace_ms
        lost, recovered = self._answers(
            Call(scripts.RENEW, self._arguments(held)),
            Call(scripts.RECOVER, ("", self._max_deliveries, grace_ms)),
        )
        by_id = {(each.queue, each.receipt): each for each in held}
        for queue, job_id in zip(lost[::2], lost[1::2], strict=True):
            delivery = by_id[name_of(queue), job_id]
            if self._held.pop(delivery.lease, None) is not None:  # and was not settled in this very moment
                logger.warning(
                    "Message %s lost its lock, as this process was silent for too long: it runs elsewhere",
                    delivery.message_id,
                )
        for queue, count in zip(recovered[::2], recovered[1::2], strict=True):
            logger.warning(
                "The locks of %d message(s) of queue %s had ended: they are back", count, name_of(queue)
            )

    def _arguments(self, held: Sequence[Delivery]) -> Sequence[Argument]:
        arguments: list[Argument] = [*self._process, self._lock_ms]
        by_queue: defaultdict[str, list[Delivery]] = defaultdict(list)
        for delivery in held:
            by_queue[delivery.queue].append(delivery)
        for queue, deliveries in by_queue.items():
            arguments += (queue, len(deliveries))
            for delivery in deliveries:
                arguments += (delivery.receipt, delivery.token)
        return arguments

    def _answers(self, *calls: Call) -> list[Any]:
        answers = self._client.run(calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise explained(answer)
        return answers

    def _run(self) -> None:
        pause_s = interval_s = self._lock_ms / RENEWALS / 1000
        while not self._stopping.wait(pause_s):
            try:
                self.renew()
                pause_s = interval_s
            except EngineError as error:
                logger.warning("%d lock(s) cannot be renewed now: %s", len(self._held), error)
                pause_s = min(RETRY_S, interval_s)
            except Exception:  # an answer that cannot be read: without renewals all it holds runs elsewhere
                logger.exception("Locks could not be renewed")
