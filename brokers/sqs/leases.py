"""What this process holds, and keeps others from running while it lives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import EngineError
from .queues import SQSQueue

logger = logging.getLogger(__name__)

#: Leases are renewed when a quarter of their time is over. What fails is tried again after each eighth.
RENEWALS = 4


@dataclass(eq=False, slots=True)
class Lease:
    """The right to settle one message, until SQS hands it to another process.

    Attributes:
      url: its queue.
      receipt: SQS's name for this delivery.
      body: the message as SQS has it.
      attributes: what came with it.
      renewed_at: on the monotonic clock, in seconds.
      replaced: what takes its place is stored. Only its deletion is left to do.
      lost: SQS may hand the message to another process. It is not renewed any more.
    """

    url: str
    receipt: str
    body: str
    attributes: Mapping[str, str]
    renewed_at: float = field(default_factory=time.monotonic)
    replaced: bool = False
    lost: bool = False

    @classmethod
    def of(cls, queue: SQSQueue, message: Mapping[str, Any]) -> Lease:
        """Make the lease of a message as SQS handed it out."""
        return cls(queue.url, message["ReceiptHandle"], message["Body"], text_attributes(message))


def text_attributes(message: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of a message that are texts."""
    attributes = message.get("MessageAttributes", {})
    return {name: each["StringValue"] for name, each in attributes.items() if "StringValue" in each}


#: Renews leases of one queue; returns those that are lost for good. Raises EngineError.
Renew = Callable[[str, Sequence[Lease]], Sequence[Lease]]


class Leases:
    """Renews them in a thread of its own. A process that dies, or hangs, renews no more.

    Parameters:
      renew: asks SQS.
      visibility_timeout_s: how long a lease lasts, in seconds.
    """

    def __init__(self, renew: Renew, *, visibility_timeout_s: int) -> None:
        self._renew = renew
        self._every_s = visibility_timeout_s / RENEWALS
        self._held: dict[str, Lease] = {}
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def hold(self, leases: Iterable[Lease]) -> None:
        """Renew these from now on."""
        self._held |= {lease.receipt: lease for lease in leases}
        with self._starting:
            if self._thread is None and self._held:
                self._thread = threading.Thread(target=self._run, name="recado-sqs-leases", daemon=True)
                self._thread.start()

    def of(self, receipt: str) -> Lease | None:
        """Return the lease of a delivery that is not settled."""
        return self._held.get(receipt)

    def let_go(self, lease: Lease) -> None:
        """Forget a lease: its message is settled, or given back."""
        self._held.pop(lease.receipt, None)

    def close(self) -> None:
        """Renew nothing any more. What is still held runs elsewhere when its time is over."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s / 2):
            self.renew()

    def renew(self) -> None:
        """Renew what is old enough."""
        now = time.monotonic()
        by_queue: dict[str, list[Lease]] = {}
        for lease in list(self._held.values()):
            if not lease.lost and now - lease.renewed_at >= self._every_s:
                by_queue.setdefault(lease.url, []).append(lease)
        for url, leases in by_queue.items():
            try:
                lost = self._renew(url, leases)
            except EngineError as error:
                logger.warning("%d lease(s) cannot be renewed now: %s", len(leases), error)
                continue
            for lease in leases:
                lease.renewed_at = now
            for lease in lost:
                if lease.receipt in self._held:  # and was not settled in this very moment
                    lease.lost = True
                    logger.warning("A message ran for too long without a sign of life: others may run it too")
