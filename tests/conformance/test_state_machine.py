"""The whole contract at once: two processes, in any order of events, against a model of forty lines."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from brokers.backend import QueueBackend
from brokers.records import Delivery
from tests.support.engines import Engine
from tests.support.messages import a_message

MAX_DELIVERIES = 2
QUEUES = ("one", "other")
PROCESSES = (0, 1)

queues = st.sampled_from(QUEUES)
processes = st.sampled_from(PROCESSES)
delays = st.sampled_from([0, 0, 5, 20])
payloads = st.sampled_from([b"", b"small", b"large" * 2_000])
picks = st.integers(min_value=0, max_value=1_000)


@dataclass
class Modelled:
    """What should be known of one message."""

    queue: str
    priority: int
    payload: bytes
    due_at: int
    place: int  # who came first, among equals
    state: str = "waiting"
    deliveries: int = 0
    crashes: int = 0
    holder: int | None = None
    token: int | None = None
    started: bool = False

    def let_go(self, state: str = "waiting") -> None:
        self.state, self.holder, self.token, self.started = state, None, None, False


class Queue(RuleBasedStateMachine):
    """What happens to an engine, in any order."""

    engine_beside: Engine

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.engine = self.engine_beside.beside(Path(self._directory.name))
        self.now = 1_000_000
        self.backends = [self.open() for _ in PROCESSES]
        self.model: dict[str, Modelled] = {}
        self.deliveries: list[Delivery] = []  # every one there ever was, so that most are stale
        self.done = dict.fromkeys(QUEUES, 0)
        self.paused: set[str] = set()
        self.places = 0

    def open(self) -> QueueBackend:
        return self.engine.open(clock=lambda: self.now, max_deliveries=MAX_DELIVERIES)

    def teardown(self) -> None:
        for backend in self.backends:
            backend.close()
        self._directory.cleanup()

    def place(self) -> int:
        self.places += 1
        return self.places

    def pick(self, pick: int, state: str | None = None) -> str | None:
        ids = [mid for mid, known in self.model.items() if state in {None, known.state}]
        return ids[pick % len(ids)] if ids else None

    def held_or_stale(self, pick: int) -> tuple[Delivery, Modelled | None]:
        """Some delivery, and its message if the token is still good."""
        delivery = self.deliveries[pick % len(self.deliveries)]
        known = self.model.get(delivery.message_id)
        return delivery, known if known is not None and known.token == delivery.token else None

    # -- in and out ---------------------------------------------------------------------------------

    @rule(by=processes, queue=queues, priority=st.integers(-1, 1), payload=payloads, delay_ms=delays)
    def enqueue(self, by: int, queue: str, priority: int, payload: bytes, delay_ms: int) -> None:
        message = a_message(queue=queue, priority=priority, payload=payload, delay_ms=delay_ms)
        assert self.backends[by].enqueue(message)
        self.model[message.message_id] = Modelled(queue, priority, payload, self.now + delay_ms, self.place())

    @rule(by=processes, pick=picks)
    def enqueue_again(self, by: int, pick: int) -> None:
        message_id = self.pick(pick)
        if message_id is not None and self.model[message_id].state != "dead":
            assert not self.backends[by].enqueue(a_message(message_id=message_id, payload=b"another"))

    @rule(by=processes, queue=queues, limit=st.integers(1, 3))
    def claim(self, by: int, queue: str, limit: int) -> None:
        deliveries = self.backends[by].dequeue(queue, limit=limit, timeout_s=0)
        claimed, claimable = [delivery.message_id for delivery in deliveries], self.claimable(queue)
        if self.engine.CAPABILITIES.in_due_order:
            assert claimed == claimable[:limit]
        else:
            assert set(claimed) <= set(claimable)
            assert len(claimed) == min(limit, len(claimable))
        for delivery in deliveries:
            known = self.model[delivery.message_id]
            known.state, known.holder, known.token = "running", by, delivery.token
            known.deliveries += 1
            assert (delivery.payload, delivery.deliveries) == (known.payload, known.deliveries)
            assert (delivery.queue, delivery.due_at) == (known.queue, known.due_at)
        self.deliveries += deliveries

    def claimable(self, queue: str) -> Sequence[str]:
        waiting = [
            (known.priority, known.due_at, known.place, message_id)
            for message_id, known in self.model.items()
            if (known.queue, known.state) == (queue, "waiting") and known.due_at <= self.now
        ]
        return [] if queue in self.paused else [message_id for *_, message_id in sorted(waiting)]

    # -- settling, under good tokens and stale ones -------------------------------------------------

    @precondition(lambda self: any(known.token for known in self.model.values()))
    @rule(pick=picks)
    def start(self, pick: int) -> None:
        running = [d for d in self.deliveries if self.model.get(d.message_id) is not None]
        running = [d for d in running if self.model[d.message_id].token == d.token]
        delivery = running[pick % len(running)]
        known = self.model[delivery.message_id]
        assert known.holder is not None
        if not known.started:
            self.backends[known.holder].started(delivery)
            known.started = True

    @precondition(lambda self: self.deliveries)
    @rule(by=processes, pick=picks)
    def ack(self, by: int, pick: int) -> None:
        delivery, known = self.held_or_stale(pick)
        by = by if known is None or known.holder is None else known.holder
        self.backends[by].ack(delivery)
        self.backends[by].sync()
        if known is not None:
            del self.model[delivery.message_id]
            self.done[known.queue] += 1

    @precondition(lambda self: self.deliveries)
    @rule(by=processes, pick=picks)
    def nack(self, by: int, pick: int) -> None:
        delivery, known = self.held_or_stale(pick)
        by = by if known is None or known.holder is None else known.holder
        self.backends[by].nack(delivery, reason="failed", error="no")
        if known is not None:
            known.let_go("dead")

    @precondition(lambda self: self.deliveries)
    @rule(by=processes, pick=picks, queue=queues, payload=payloads, delay_ms=delays)
    def retry(self, by: int, pick: int, queue: str, payload: bytes, delay_ms: int) -> None:
        delivery, known = self.held_or_stale(pick)
        by = by if known is None or known.holder is None else known.holder
        self.backends[by].retry(delivery, queue=queue, payload=payload, delay_ms=delay_ms, error="no")
        if known is not None:
            known.let_go()
            known.queue, known.payload, known.due_at = queue, payload, self.now + delay_ms
            known.crashes = 0

    @precondition(lambda self: self.deliveries)
    @rule(by=processes, pick=picks, delay_ms=delays)
    def release(self, by: int, pick: int, delay_ms: int) -> None:
        delivery, known = self.held_or_stale(pick)
        by = by if known is None or known.holder is None else known.holder
        self.backends[by].release([delivery], delay_ms=delay_ms)
        if known is not None:
            known.let_go()
            known.deliveries -= 1
            if delay_ms:
                known.due_at = self.now + delay_ms

    # -- what else happens --------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, 5, 20]))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(who=processes)
    def crash(self, who: int) -> None:
        self.engine.crash(self.backends[who])
        self.engine.recover(self.backends[1 - who])
        self.backends[who] = self.open()
        for known in self.model.values():
            if known.holder == who:
                died_running = known.started
                known.let_go()
                if not died_running:
                    known.deliveries -= 1
                    continue
                known.crashes += 1
                if known.crashes > MAX_DELIVERIES:  # at its last delivery it was only to be set aside
                    known.let_go("dead")

    @rule(by=processes, pick=picks)
    def replay(self, by: int, pick: int) -> None:
        message_id = self.pick(pick, "dead")
        if message_id is not None:
            assert self.backends[by].replay(message_id)
            dead = self.model[message_id]
            self.model[message_id] = Modelled(dead.queue, dead.priority, dead.payload, self.now, self.place())

    @rule(by=processes, queue=queues)
    def flush(self, by: int, queue: str) -> None:
        self.backends[by].flush(queue)
        self.model = {mid: known for mid, known in self.model.items() if known.queue != queue}

    @rule(by=processes, queue=queues, pause=st.booleans())
    def pause_or_resume(self, by: int, queue: str, pause: bool) -> None:
        if pause:
            self.backends[by].pause(queue)
            self.paused.add(queue)
        else:
            self.backends[by].resume(queue)
            self.paused.discard(queue)

    # -- what must be true at all times -------------------------------------------------------------

    @invariant()
    def every_message_is_where_it_should_be(self) -> None:
        for message_id, known in self.model.items():
            stored = self.backends[0].get(message_id)
            assert stored is not None
            assert self.states_of(known) >= {stored.state}
            assert (stored.queue, stored.payload) == (known.queue, known.payload)
            assert (stored.deliveries, stored.crashes) == (known.deliveries, known.crashes)
            if stored.state != "dead":
                assert (stored.due_at, stored.priority) == (known.due_at, known.priority)

    def states_of(self, known: Modelled) -> set[str]:
        if known.state != "waiting":
            return {known.state}
        # A delay that is over ends with the next claim.
        return {"delayed"} if known.due_at > self.now else {"delayed", "ready"}

    @invariant()
    def the_numbers_are_right(self) -> None:
        for stats in self.backends[1].stats():
            states = [known.state for known in self.model.values() if known.queue == stats.queue]
            assert stats.ready + stats.delayed == states.count("waiting")
            assert stats.running == states.count("running")
            assert stats.dead == states.count("dead")
            assert stats.done == self.done[stats.queue]
            assert stats.paused == (stats.queue in self.paused)


@pytest.mark.needs("looks_up")
def test_an_engine_behaves_like_its_model(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.hurry(monkeypatch.setattr)
    monkeypatch.setattr(Queue, "engine_beside", engine, raising=False)
    run_state_machine_as_test(
        Queue,
        settings=settings(
            max_examples=50,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
