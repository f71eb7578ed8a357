"""Gives pages what they work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from starlette.responses import HTMLResponse

from actors.conversations import ConversationStore
from brokers.backend import QueueBackend
from brokers.cached_stats import CachedStats
from brokers.durable import DurableBroker
from ops.foundation.settings import Settings

from ..audit_log import AuditLog
from .attachments import DashboardMedia
from .live.event_streams import EventStreams
from .live.problems import problems
from .live.snapshot import Snapshot
from .live.status_sampler import StatusSampler
from .page_request import PAGE_SIZE, PageRequest
from .rendering.render import html
from .try_it.played import PlayedCustomers

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DashboardContext:
    """Holds the parts of a running Recado that pages show, and what the dashboard adds."""

    settings: Settings
    broker: DurableBroker
    conversations: ConversationStore
    cached_stats: CachedStats
    sampler: StatusSampler
    audit: AuditLog
    streams: EventStreams
    threads: Executor  # where pages wait for the engine, so that nothing else waits for pages
    attachments: DashboardMedia
    played: PlayedCustomers | None = None  # in development only

    @property
    def backend(self) -> QueueBackend:
        """Return the queue's engine."""
        return self.broker.backend

    async def run_in_thread(self, function: Callable[[], T], *, threads: Executor | None = None) -> T:
        """Call a function that may wait in a thread, in the caller's context, while the event loop goes on.

        Parameters:
          function: the function.
          threads: where; those of pages when not given.
        """
        in_its_language = partial(copy_context().run, function)
        return await asyncio.get_running_loop().run_in_executor(threads or self.threads, in_its_language)

    @property
    def lookup_page(self) -> int:
        """Return how many messages a scan fetches together."""
        return self.backend.capabilities.lookup_page

    def render_page(
        self,
        request: PageRequest,
        template: str,
        *,
        active: str = "",
        status: int = 200,
        live: str = "",
        **variables: Any,
    ) -> HTMLResponse:
        """Render a whole page.

        Parameters:
          request: the request that the page answers.
          template: the template's file name.
          active: the entry of the menu that the page belongs to.
          status: the status of the answer.
          live: which events the page subscribes to, as a query string.
          variables: what the template shows; `snapshot` where the page has taken one already.
        """
        common = self.common_variables(variables.get("snapshot") or self.sampler.snapshot())
        return html(
            template,
            {
                **common,
                "request": request,
                "active": active,
                "live": live or "of=nothing",
                "page_size": PAGE_SIZE,
                **variables,
            },
            status=status,
        )

    def common_variables(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Return what every page shows."""
        return {
            "engine": self.backend.capabilities,
            "snapshot": snapshot,
            "problems": problems(snapshot),
            "dead": sum(queue.dead for queue in snapshot.queues),
            "tries_it": self.played is not None,
            "owed": snapshot.need_person + snapshot.no_answer + snapshot.not_through,
        }

    @contextmanager
    def recorded(self, request: PageRequest, action: str, target: str) -> Iterator[None]:
        """Record in the audit log what is done inside, and how it ended.

        Raises:
          EngineError: as of `record_action`, and nothing is done.
        """
        with self.audit.recorded(
            action, target, who=request.user.name, address=request.address, origin="dashboard"
        ):
            yield

    def record_action(self, request: PageRequest, action: str, target: str, **more: Any) -> int:
        """Record in the audit log what a user is about to do; return the entry's id.

        Raises:
          EngineError: it cannot be recorded, and must not be done.
        """
        return self.audit.record(action, target, who=request.user.name, address=request.address, **more)
