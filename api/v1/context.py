"""Gives operations what they work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import PlainSerializer, WithJsonSchema

from actors.conversations import ConversationStore
from brokers.cached_stats import CachedStats
from brokers.durable import DurableBroker

from ..audit_log import AuditLog
from .callers import Caller

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """Holds the parts of a running Recado that operations show and change."""

    broker: DurableBroker
    conversations: ConversationStore
    cached_stats: CachedStats
    audit: AuditLog
    currency: str  # of all costs
    default_region: str | None  # of numbers that are searched for without their country's code
    threads: Executor  # where operations wait for the engine, so that nothing else waits for them

    async def run(self, function: Callable[[], T]) -> T:
        """Call a function that may wait in a thread, with the names that log lines carry."""
        names = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self.threads, lambda: names.run(function))

    @contextmanager
    def recorded(self, caller: Caller, action: str, target: str) -> Iterator[None]:
        """Record in the audit log what is done inside, and how it ended.

        Raises:
          EngineError: it cannot be recorded, and nothing is done.
        """
        with self.audit.recorded(action, target, who=caller.name, address=caller.address, origin="api"):
            yield


def _as_text(at_ms: int) -> str:
    """Write a time. Any program may have enqueued one beyond the calendar: that is written as its last."""
    try:
        moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        moment = datetime.max.replace(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


#: Milliseconds since the epoch inside, and RFC 3339 in JSON.
Time = Annotated[
    int,
    PlainSerializer(_as_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
