"""Samples queues, stores and processes every few seconds, so that pages need not wait for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from dramatiq.errors import BrokerError

from actors.conversations.reader import ConversationReader
from brokers.backend import QueueBackend
from brokers.cached_stats import CachedStats
from brokers.checks import Checks
from brokers.clock import now_ms
from brokers.errors import EngineError, Unsupported
from brokers.records import QueueStats
from brokers.spool import SpooledBackend

from ...supervision import Supervisor
from .history import History
from .metric_source import NO_TOTALS, MetricSource, read_totals
from .snapshot import Snapshot

logger = structlog.get_logger(__name__)

#: How often the queues are sampled, in seconds.
SAMPLE_EVERY_S = 5.0

#: The same on SQS, where each request costs money; the second while a page is open.
SAMPLE_SQS_EVERY_S, SAMPLE_SQS_WHILE_READ_S = 60.0, 10.0

#: How often the rest is refreshed while a page is open, and how long after its last request a page counts as
#: open, in seconds.
REFRESH_WHILE_READ_S, READER_TIMEOUT_S = 2.0, 10.0

#: Restarts and webhooks within this time count for problems, in seconds.
RECENT_S = 600.0

#: Dead letters of the last hour are counted up to this.
RECENT_DEAD = 100

#: So many conversations that a person answers are looked at for one in which the contact wrote last.
MOST_NEED_PERSON = 50

HOUR_MS = 3_600_000


class StatusSampler:
    """Samples the state of everything in a thread of its own. What it sampled last is there at once.

    Parameters:
      backend: the queue.
      cached_stats: counts the queue.
      costly: counting costs money, so that only this thread does it.
      checks: tell whether the stores beside the queue work; this thread has them checked.
      spool: holds messages while the queue is away; None on engines without a spool.
      ask_supervisor: asks the supervisor for its status; None where there is no supervisor.
      metrics: has the metrics of all processes of this machine; None where there are none.
      reader: has the conversations; None where there are none.
      budget_used: returns which share of the day's budget is used, when that is worth telling; else None.
    """

    def __init__(
        self,
        backend: QueueBackend,
        cached_stats: CachedStats,
        *,
        costly: bool = False,
        checks: Checks | None = None,
        spool: SpooledBackend | None = None,
        ask_supervisor: Supervisor | None = None,
        metrics: MetricSource | None = None,
        reader: ConversationReader | None = None,
        budget_used: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.history = History(SAMPLE_SQS_WHILE_READ_S if costly else SAMPLE_EVERY_S)
        self._backend = backend
        self._cached_stats = cached_stats
        self._costly = costly
        self._checks = Checks({}) if checks is None else checks
        self._store_troubles: Mapping[str, str] = {}
        self._spool = spool
        self._ask_supervisor = ask_supervisor
        self._metrics = metrics
        self._reader = reader
        self._ask_budget = budget_used
        self._budget_used: float | None = None
        self._need_person = self._no_answer = self._not_through = 0
        self._counted: Sequence[QueueStats] = ()
        self._error: str | None = None
        self._supervisor: Mapping[str, Any] | None = None
        self._recent_dead: Mapping[str, int] = {}
        self._totals = NO_TOTALS
        self._last_sample = self._last_read = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recado-dashboard", daemon=True)

    def start(self) -> None:
        """Start sampling."""
        self._thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def queue_stats(self) -> Sequence[QueueStats]:
        """Return every queue, counted.

        Raises:
          EngineError: the engine is away.
        """
        if not self._costly or self._last_sample == float("-inf"):
            return self._cached_stats.stats()
        if self._error is not None:
            raise EngineError(self._error)
        return self._counted

    def snapshot(self) -> Snapshot:
        """Return the state of everything. Only the engine is waited for."""
        self._last_read = time.monotonic()
        queues: Sequence[QueueStats] = ()
        error, spool, stores = None, None, dict(self._store_troubles)
        try:
            queues = self.queue_stats()
        except BrokerError as away:
            error = str(away)
        if self._spool is not None:
            try:
                spool = self._spool.depth()
            except BrokerError as away:
                stores["spool"] = str(away)
        return Snapshot(
            now_ms=now_ms(),
            queues=queues,
            engine_error=error,
            stores=stores,
            spool=spool,
            spool_trouble=None if self._spool is None else self._spool.trouble,
            supervisor=self._supervisor,
            recent_dead=self._recent_dead,
            at_most_recent=RECENT_DEAD,
            stalled_s={queue.queue: self.history.stalled_s(queue.queue) for queue in queues},
            restarts=self.history.restarts(within_s=RECENT_S),
            webhooks=self.history.webhooks(within_s=RECENT_S),
            need_person=self._need_person,
            no_answer=self._no_answer,
            not_through=self._not_through,
            at_most_need_person=MOST_NEED_PERSON,
            budget_used=self._budget_used,
        )

    @property
    def webhooks(self) -> Mapping[str, int]:
        """Return how many webhooks came in since the API was started, by outcome."""
        return self._totals.webhooks

    def refresh(self) -> None:
        """Sample what is due."""
        self._store_troubles = self._checks.troubles()
        self._supervisor = None if self._ask_supervisor is None else self._ask_supervisor()
        self._count_what_people_owe()
        rests = self._costly and not self._has_readers
        every_s = SAMPLE_SQS_EVERY_S if rests else self.history.every_s
        if time.monotonic() - self._last_sample >= every_s:
            self._sample()

    def _sample(self) -> None:
        try:
            self._counted, self._error = self._cached_stats.stats(), None
            self._recent_dead = {each.queue: self._died_lately(each) for each in self._counted if each.dead}
        except BrokerError as error:
            self._counted, self._error = (), str(error)
        self._last_sample = time.monotonic()
        self._totals = read_totals(self._metrics)
        if self._error is None:
            restarts = {
                child["name"]: child["restarts"] for child in (self._supervisor or {}).get("children", ())
            }
            self.history.add(time.time(), self._counted, restarts, self._totals)

    def _count_what_people_owe(self) -> None:
        if self._reader is None or "conversations" in self._store_troubles:
            return
        try:
            with_person = self._reader.conversations(mode="person", limit=MOST_NEED_PERSON)
            undecided = self._reader.attention(limit=MOST_NEED_PERSON)
            self._budget_used = self._ask_budget()
        except BrokerError:  # what is wrong with the store is shown by its check
            return
        self._need_person = sum(summary.author == "contact" for summary in with_person)
        self._no_answer = sum(each.state is None for each in undecided)
        self._not_through = len(undecided) - self._no_answer

    def _died_lately(self, queue: QueueStats) -> int:
        since = (queue.counted_at or now_ms()) - HOUR_MS  # by the clock that deaths are dated by
        try:
            newest = self._backend.list(queue.queue, "dead", limit=RECENT_DEAD)
        except Unsupported:
            return 0
        return sum((letter.died_at or 0) >= since for letter in newest)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.refresh()
            except Exception:
                logger.exception("The dashboard could not look")
            self._stopping.wait(REFRESH_WHILE_READ_S if self._has_readers else SAMPLE_EVERY_S)

    @property
    def _has_readers(self) -> bool:
        """Tell whether a page is open."""
        return time.monotonic() - self._last_read < READER_TIMEOUT_S
