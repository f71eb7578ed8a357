"""Has an engine do what the model of the lease does, and compares them after each step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from brokers.backend import QueueBackend
from brokers.records import Delivery
from tests.support.engines import Engine
from tests.support.exploring import Step, written
from tests.support.messages import a_message, stats_of

from . import lease
from .lease import State

QUEUE, FOLLOWS = "modelled", "follows"

#: How long delayed messages wait, and how far the time goes on with a tick.
DELAY_MS = 1_000


class Disagreement(AssertionError):
    """The engine did another thing than the model."""


class Replay:
    """Two workers on an engine, led by a model.

    Parameters:
      engine: an empty store, whose housekeeping is held.
      first: the state in which the model begins.
    """

    def __init__(self, engine: Engine, first: State) -> None:
        self._engine = engine
        self._now = 1_000_000
        self._numbers = count(1)
        self._first = self._state = first
        self._watcher = self._open()
        self._workers = [self._open() for _ in first.workers]
        for worker in self._workers:
            worker.dequeue("another", limit=1, timeout_s=0)  # it consumes: others look whether it lives
        self._ids: list[str] = []
        self._deliveries: list[int] = []
        self._held: dict[tuple[int, int, bool], Delivery] = {}
        self._trace: list[Step] = []
        self._done = 0
        self.steps = 0
        self._store_messages()

    def _open(self) -> QueueBackend:
        return self._engine.open(clock=lambda: self._now, max_deliveries=lease.MAX_DELIVERIES)

    def close(self) -> None:
        for backend in (*self._workers, self._watcher):
            backend.close()

    def _store_messages(self) -> None:
        self._ids = [f"message-{next(self._numbers)}" for _ in self._first.messages]
        self._deliveries = [0] * len(self._ids)
        for priority, message_id in enumerate(self._ids):
            self._watcher.enqueue(a_message(queue=QUEUE, message_id=message_id, priority=priority))

    def walk(self, steps: Sequence[tuple[Step, State]]) -> None:
        """Take steps from the model's first state.

        Raises:
          Disagreement: what one of them gave is not what the model says.
        """
        self._begin_anew()
        for step, after in steps:
            self._trace.append(step)
            self._take(step, after)
            self._deliveries = [
                known + change
                for known, change in zip(
                    self._deliveries, lease.counted(self._state, step, after), strict=True
                )
            ]
            self._state = after
            self._compare()
            self.steps += 1

    def _begin_anew(self) -> None:
        """Settle, end and empty what the walk before has left."""
        for w, worker in enumerate(self._workers):
            life = self._state.workers[w].life
            if life in {"stalled", "lost"}:
                self._engine.be_heard(worker)
            if life in {"dead", "gone"}:
                self._workers[w] = self._open()
            if life != "up":
                self._workers[w].dequeue("another", limit=1, timeout_s=0)
        for (w, _, _), delivery in self._held.items():
            self._workers[w].ack(delivery)
            self._workers[w].sync()
        self._held.clear()
        for worker in self._workers:
            self._engine.recover(worker)
        self._watcher.resume(QUEUE)
        self._watcher.flush(QUEUE)
        self._done = stats_of(self._watcher, QUEUE).done or 0
        self._state, self._trace = self._first, []
        self._store_messages()

    # -- steps ------------------------------------------------------------------------------------------

    def _take(self, step: Step, after: State) -> None:
        verb, *whom = step
        is_late = verb.endswith("_late")
        verb = verb.removesuffix("_late")
        if len(whom) < 2:
            getattr(self, f"_{verb}")(*whom, *([after] if verb == "claim" else []))
            return
        w, m = whom
        worker, delivery = self._workers[w], self._held[w, m, is_late]
        if verb == "start":
            worker.started(delivery)
        elif verb == "follow":
            self._follow(w, m)
        else:
            self._settle(verb, worker, delivery)
            del self._held[w, m, is_late]
            self._done += verb == "ack" and not is_late

    def _settle(self, verb: str, worker: QueueBackend, delivery: Delivery) -> None:
        delay_ms = DELAY_MS if verb.endswith("_delayed") else 0
        verb = verb.removesuffix("_delayed")
        if verb == "ack":
            worker.ack(delivery)
            worker.sync()
        elif verb == "nack":
            worker.nack(delivery, reason="failed", error="no")
        elif verb == "retry":
            worker.retry(delivery, queue=QUEUE, payload=b"{}", delay_ms=delay_ms, error="no")
        else:
            worker.release([delivery], delay_ms=delay_ms)

    def _claim(self, w: int, after: State) -> None:
        got = self._workers[w].dequeue(QUEUE, limit=1, timeout_s=0)
        claimed = [
            m
            for m, (was, now) in enumerate(zip(self._state.messages, after.messages, strict=True))
            if was.holder != now.holder
        ]
        self._agree("what was claimed", [each.message_id for each in got], [self._ids[m] for m in claimed])
        for m, delivery in zip(claimed, got, strict=True):
            self._held[w, m, False] = delivery
            self._agree("which delivery it is", delivery.deliveries, self._deliveries[m] + 1)
            self._agree("crashes, as handed out", delivery.crashes, self._state.messages[m].crashes)

    def _follow(self, w: int, m: int) -> None:
        message_id = f"{self._ids[m]}-follows"
        is_new = self._workers[w].enqueue(a_message(queue=FOLLOWS, message_id=message_id))
        self._agree("whether what follows is new", is_new, not self._state.messages[m].followed)
        self._agree(
            "whether what follows is stored", self._watcher.get(message_id) is not None, expected=True
        )

    def _crash(self, w: int) -> None:
        self._engine.crash(self._workers[w])
        self._held = {key: delivery for key, delivery in self._held.items() if key[0] != w}

    def _restart(self, w: int) -> None:
        self._workers[w] = self._open()
        self._workers[w].dequeue("another", limit=1, timeout_s=0)
        self._note_stale(w)

    def _recover(self, w: int) -> None:
        self._engine.recover(self._workers[w])
        self._note_stale(w)

    def _note_stale(self, by: int) -> None:
        """What a worker held that was taken for dead while it lives is held under worthless tokens."""
        lost = [w for w, each in enumerate(self._state.workers) if each.life == "lost" and w != by]
        for w, m, is_stale in list(self._held):
            if w in lost and not is_stale:
                self._held[w, m, True] = self._held.pop((w, m, False))

    def _stall(self, w: int) -> None:
        self._engine.fall_silent(self._workers[w])

    def _lose(self, w: int) -> None:
        self._engine.lose(self._workers[w])

    def _go_on(self, w: int) -> None:
        self._engine.be_heard(self._workers[w])

    def _tick(self) -> None:
        self._now += DELAY_MS

    def _pause(self) -> None:
        self._watcher.pause(QUEUE)

    def _resume(self) -> None:
        self._watcher.resume(QUEUE)

    def _again(self) -> None:
        self._store_messages()

    # -- comparing --------------------------------------------------------------------------------------

    def _compare(self) -> None:
        """Compare what can be seen: each message, and the queue's numbers."""
        places = []
        for m, known in enumerate(self._state.messages):
            places.append(known.place)
            stored = self._watcher.get(self._ids[m])
            if known.place == "acked":
                self._agree("a message that is done", stored, None)
                continue
            if stored is None:
                raise Disagreement(f"message {m} is lost after {written(self._trace)}")
            states = {"ready": ("ready", "delayed"), "failed": ("dead",), "killed": ("dead",)}
            # A delay that is over ends with the next claim.
            if stored.state not in states.get(known.place, (known.place,)):
                self._agree(f"the state of message {m}", stored.state, known.place)
            self._agree(f"deliveries of message {m}", stored.deliveries, self._deliveries[m])
            if known.place in {"failed", "killed"}:
                reason = "failed" if known.place == "failed" else "max_deliveries"
                self._agree("why it is a dead letter", stored.reason, reason)
            else:
                self._agree(f"crashes of message {m}", stored.crashes, known.crashes)
        stats = stats_of(self._watcher, QUEUE)
        waiting = places.count("ready") + places.count("delayed")
        self._agree("how many wait", stats.ready + stats.delayed, waiting)
        self._agree("how many are running", stats.running, places.count("running"))
        self._agree("how many are done", stats.done, self._done)
        self._agree("whether it is paused", stats.paused, self._state.paused)

    def _agree(self, what: str, engine: object, expected: object) -> None:
        if engine != expected:
            raise Disagreement(
                f"{what}: {engine!r}, and the model says {expected!r}, after {written(self._trace)}"
            )
