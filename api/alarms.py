"""Tells people of what no actor can tell: nothing works, or webhooks are refused.

The queue may be the very thing that does not work, so this goes past it, from a thread of the API's. What is
to be told is kept in memory, and each API process tells for itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog
from dramatiq.errors import BrokerError

from actors.metrics import metrics
from actors.notices.events import EventName
from actors.notices.receiver import Receiver
from actors.notices.wording import Occurrence, shortened, without_addresses, worded
from brokers.backend import QueueBackend
from brokers.cached_stats import CachedStats
from brokers.checks import Checks
from ops.foundation.credentials import without_credentials

from .opening import Opening
from .refusals import Refusals
from .supervision import Supervisor

logger = structlog.get_logger(__name__)

#: How often it is looked, in seconds. A look proves that queue and conversations take a write.
LOOK_EVERY_S = 15.0

#: How many looks in a row have to find that something does not work before it is told: a restart is shorter.
LOOKS = 4

#: How often people are told of the same thing at most, in seconds.
TOLD_EVERY_S = 1_800.0

#: Webhooks refused, with none taken in between, that are worth telling; and refused within `RECENT_LOOKS`
#: looks, five minutes, whatever is taken in between.
MANY_IN_A_ROW, MANY_LATELY, RECENT_LOOKS = 3, 20, 20

#: How long the queue may take to prove that it works, in seconds.
WITHIN_S = 5.0

#: How long a message may be due while nothing at all is being done in its queue, in seconds.
STALLED_S = 60.0


class Watched:
    """What has to work so that customers get answers.

    Parameters:
      backend: the queue.
      counts: counts it.
      checks: tell whether the stores beside it work.
      opening: knows whether it was opened.
      supervisor: says what `recado up` runs, where it does.
    """

    def __init__(
        self,
        backend: QueueBackend,
        counts: CachedStats,
        checks: Checks,
        opening: Opening,
        supervisor: Supervisor | None,
    ) -> None:
        self._backend = backend
        self._counts = counts
        self._checks = checks
        self._opening = opening
        self._supervisor = supervisor

    def troubles(self) -> Sequence[str]:
        """Return what does not work, in words; nothing when all does."""
        conversations = self._checks.troubles().get("conversations")
        found = [] if conversations is None else [f"the conversations cannot be used: {conversations}"]
        if (queue := self._queue_trouble()) is not None:
            return [f"the queue cannot be used: {queue}", *found]
        return [*found, *(["no worker runs"] if self._no_worker_runs() else [])]

    def _queue_trouble(self) -> str | None:
        if self._opening.trouble is not None:
            return self._opening.trouble
        try:
            self._backend.check(timeout_s=WITHIN_S)
        except BrokerError as error:
            return str(error)
        return None

    def _no_worker_runs(self) -> bool:
        status = None if self._supervisor is None else self._supervisor()
        if status is not None:
            states = [child["state"] for child in status["children"] if child["kind"] == "worker"]
            return bool(states) and not {"ready", "draining"} & set(states)
        if self._backend.capabilities.costs:  # to count costs money there
            return False
        try:
            queues = self._counts.stats()
        except BrokerError:
            return False  # the next look finds the queue away
        return any(
            queue.ready
            and not queue.running
            and not queue.paused
            and (queue.seconds_since(queue.oldest_due_at) or 0.0) >= STALLED_S
            for queue in queues
        )


class Alarms:
    """Looks in a thread of its own, and tells.

    Parameters:
      receivers: to tell.
      troubles: says what does not work.
      refusals: counts webhooks that are refused.
      clock: seconds, monotonic.
    """

    def __init__(
        self,
        receivers: Sequence[Receiver],
        troubles: Callable[[], Sequence[str]],
        refusals: Refusals,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receivers = receivers
        self._troubles = troubles
        self._refusals = refusals
        self._clock = clock
        self._bad_looks = 0
        self._is_down = False  # and people know it
        self._totals: deque[int] = deque([0], maxlen=RECENT_LOOKS + 1)
        self._told_at: dict[EventName, float] = {}
        self._untold: dict[str, list[Occurrence]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recado-alarms", daemon=True)

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking. A notice that is just being sent is waited for."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Look once, and tell what is to be told; what a receiver refuses is told with the next look."""
        self._look_whether_it_works()
        self._look_for_refusals()
        for receiver in self._receivers:
            self._tell(receiver)

    def _look_whether_it_works(self) -> None:
        troubles = self._troubles()
        self._bad_looks = self._bad_looks + 1 if troubles else 0
        if self._bad_looks >= LOOKS and self._may_be_told("not_working"):
            self._is_down = True
            self._note("not_working", "; ".join(troubles))
        elif self._is_down and not troubles:
            self._is_down = False
            self._note("working_again", None)

    def _look_for_refusals(self) -> None:
        self._totals.append(self._refusals.total)
        lately = self._totals[-1] - self._totals[0]
        is_bad = lately >= MANY_LATELY or (lately and self._refusals.in_a_row >= MANY_IN_A_ROW)
        if is_bad and self._may_be_told("webhooks_refused"):
            self._note("webhooks_refused", f"{self._refusals.in_a_row} in a row, {lately} in five minutes")

    def _may_be_told(self, event: EventName) -> bool:
        return self._clock() - self._told_at.get(event, float("-inf")) >= TOLD_EVERY_S

    def _note(self, event: EventName, why: str | None) -> None:
        self._told_at[event] = self._clock()
        said = None if why is None else shortened(without_addresses(without_credentials(why)))
        for receiver in self._receivers:
            before = self._untold.get(receiver.name, [])
            others = [each for each in before if each.event != event]
            self._untold[receiver.name] = [*others, Occurrence(event, why=said)]

    def _tell(self, receiver: Receiver) -> None:
        untold = self._untold.get(receiver.name)
        if not untold:
            return
        is_told = receiver.tell(*worded(untold))
        metrics().notices.labels("told" if is_told else "refused").inc()
        if is_told:
            untold.clear()
            logger.info("people were told of what no actor can tell", receiver=receiver.label)
        else:
            logger.warning("a notice was not taken: it is tried again", receiver=receiver.label)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception:
                logger.exception("it could not be looked whether everything works: it is tried again")
