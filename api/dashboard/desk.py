"""What the pages work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.responses import HTMLResponse

from actors.conversations import ConversationStore
from brokers.backend import QueueBackend
from brokers.cached_stats import CachedStats
from brokers.durable import DurableBroker
from ops.foundation.settings import Settings

from .audit import AuditLog
from .events import Streams
from .problems import Facts, problems
from .render import html
from .visits import NotAllowed, Visit
from .watch import Watch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of a running Recado that people look at, and what the dashboard adds."""

    settings: Settings
    broker: DurableBroker
    conversations: ConversationStore
    counts: CachedStats
    watch: Watch
    audit: AuditLog
    streams: Streams
    threads: Executor  # where pages wait for the engine, so that nothing else waits for pages

    @property
    def backend(self) -> QueueBackend:
        return self.broker.backend

    async def aside(self, function: Callable[[], T]) -> T:
        """Call a function that may wait, while the event loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, function)

    @property
    def step(self) -> int:
        """How many messages are looked at together where they are looked for."""
        return self.backend.capabilities.lookup_page

    def page(
        self,
        visit: Visit,
        template: str,
        *,
        active: str = "",
        status: int = 200,
        live: str = "",
        **context: Any,
    ) -> HTMLResponse:
        """A whole page.

        Parameters:
          visit: for whom.
          template: its name.
          active: the entry of the menu it belongs to.
          status: of the answer.
          live: what its stream of events shows, as a query string.
          context: what the template shows; `facts` where the page has looked at them already.
        """
        common = self.common(context.get("facts") or self.watch.facts())
        return html(
            template,
            {**common, "visit": visit, "active": active, "live": live or "of=nothing", **context},
            status=status,
        )

    def common(self, facts: Facts) -> Mapping[str, Any]:
        """What is on every page."""
        return {
            "engine": self.backend.capabilities,
            "facts": facts,
            "problems": problems(facts),
            "dead": sum(queue.dead for queue in facts.queues),
        }

    def acting(self, visit: Visit, action: str, target: str, **more: Any) -> int:
        """Write down what an operator is about to do; returns the entry's id.

        Raises:
          NotAllowed: it is no operator.
          EngineError: it cannot be written down.
        """
        if not visit.visitor.may_act:
            raise NotAllowed("Viewers can look at everything and change nothing.")
        return self.audit.begin(action, target, who=visit.visitor.name, address=visit.address, **more)
