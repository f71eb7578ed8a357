"""Queues: what waits, runs and died; pausing and resuming."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel, Field

from brokers.records import QueueStats

from .callers import Caller, Operator, Reader
from .context import Context
from .problems import Refused, documented


class Queue(BaseModel):
    """A queue, counted a moment ago at most."""

    queue: str
    ready: int = Field(description="messages that wait to be run")
    delayed: int = Field(description="messages that are to be run later")
    running: int
    dead: int = Field(description="dead letters")
    done: int | None = Field(
        description="messages that were done since the database was made; null: not counted"
    )
    paused: bool
    longest_wait_s: float | None = Field(
        description="how long the longest waiting message has waited, in seconds; null: none waits"
    )


class Queues(BaseModel):
    """Every queue that the engine knows."""

    items: list[Queue]


def queue_routes(context: Context) -> APIRouter:
    """Make the operations on queues."""
    router = APIRouter(prefix="/queues", tags=["queues"])

    @router.get("", responses=documented("unsupported"))
    async def list_queues(_: Reader) -> Queues:
        """Count every queue."""
        counted = await context.run(context.cached_stats.stats)
        return Queues(items=[_shown(stats) for stats in counted])

    @router.post("/{queue}/pause", status_code=204, responses=documented("not-found", "unsupported"))
    async def pause_queue(caller: Operator, queue: str) -> None:
        """Hand out none of its messages any more, in every process. They go on being accepted."""
        await context.run(partial(_switch, context, caller, queue, "pause", context.broker.backend.pause))

    @router.post("/{queue}/resume", status_code=204, responses=documented("not-found", "unsupported"))
    async def resume_queue(caller: Operator, queue: str) -> None:
        """Hand out its messages again."""
        await context.run(partial(_switch, context, caller, queue, "resume", context.broker.backend.resume))

    return router


def _switch(context: Context, caller: Caller, queue: str, action: str, switch: Callable[[str], None]) -> None:
    known = context.broker.get_declared_queues() | {stats.queue for stats in context.cached_stats.stats()}
    if queue not in known:
        raise Refused(
            "not-found", f"There is no queue {queue[:200]}. The queues are {', '.join(sorted(known))}."
        )
    with context.recorded(caller, f"{action} queue", queue):
        switch(queue)
    context.cached_stats.invalidate()


def _shown(stats: QueueStats) -> Queue:
    return Queue(
        queue=stats.queue,
        ready=stats.ready,
        delayed=stats.delayed,
        running=stats.running,
        dead=stats.dead,
        done=stats.done,
        paused=stats.paused,
        longest_wait_s=stats.seconds_since(stats.waits_since),
    )
