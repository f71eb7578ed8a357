"""The lease protocol: a small model keeps the promises in any order of events, and engines do as it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from brokers.sqlite import SQLiteBackend, statements
from brokers.sqlite.liveness.process_registry import Peer
from tests.support.engines import Engine
from tests.support.exploring import Broken, Explored, Step, explore, stranded, walks

from . import lease
from .lease import PAUSES, SHARED, TRANSITIONS, State, Transition
from .replay import Disagreement, Replay


def searched(transitions: Mapping[str, Transition], *, messages: int) -> Explored[State]:
    return explore(
        lease.beginning(messages), partial(lease.steps, transitions), broken=lease.broken, at_most=100_000
    )


def without(*verbs: str) -> dict[str, Transition]:
    return {verb: transition for verb, transition in TRANSITIONS.items() if verb not in verbs}


def of_one_worker(transition: Transition) -> Transition:
    """The same, and only of the first worker: the two are alike, and there are fewer states."""
    return replace(transition, after=lambda state, w: transition.after(state, w) if w == 0 else None)


@dataclass(frozen=True)
class Case:
    """A model, and how many states it has at least: a search that finds fewer has not searched it."""

    messages: int
    transitions: Mapping[str, Transition]
    states: int


CASES = {
    "two messages": Case(2, TRANSITIONS, 10_000),
    "a queue that is paused": Case(1, {**TRANSITIONS, **PAUSES}, 700),
    "machines that share a store": Case(1, {**TRANSITIONS, **SHARED}, 4_000),
}


@pytest.mark.parametrize("name", CASES)
def test_every_order_of_events_keeps_the_promises(name: str) -> None:
    check(CASES[name])


@pytest.mark.starts_processes  # it starts none, and takes long
def test_two_messages_and_a_worker_that_is_taken_for_dead_keep_the_promises() -> None:
    transitions = {**TRANSITIONS, **SHARED}
    fewer = {verb: of_one_worker(transitions[verb]) for verb in ("stall", "lose")}
    check(Case(2, {**transitions, **fewer}, 60_000))


def check(case: Case) -> None:
    explored = searched(case.transitions, messages=case.messages)
    assert stranded(explored, is_end=lease.is_at_its_end) == [], "a message is never done"
    print(f"{len(explored.edges):,} states, {explored.transitions:,} transitions")
    assert len(explored.edges) > case.states
    assert {step[0] for edges in explored.edges.values() for step, _ in edges} == set(case.transitions)


# -- a model that is wrong is found out -------------------------------------------------------------


def ack_before_store(state: State, w: int, m: int) -> State | None:
    return lease.ack(lease.with_message(state, m, followed=True), w, m) and lease._ack(state, w, m)


def recover_the_living(state: State, w: int) -> State | None:
    if state.workers[w].life != "up":
        return None
    return lease.recovered(state, w, taken=frozenset({"dead", "stalled"}))


def start_without_a_mark(state: State, w: int, m: int) -> State | None:
    after = lease.start(state, w, m)
    return after and lease.with_message(after, m, marked=False)


def claim_what_runs(state: State, w: int) -> State | None:
    """A claim that looks at the state of a message no more."""
    if state.workers[w].life != "up" or state.messages[0].place in lease.ENDS:
        return None
    return lease.with_belief(lease.with_message(state, 0, place="running", holder=w), w, 0, "held")


def ack_under_any_token(state: State, w: int, m: int) -> State | None:
    if state.workers[w].life != "up" or state.workers[w].stale[m] != "runs":
        return None
    return lease.with_belief(lease.let_go(state, m, "acked", followed=True), w, m, "", stale=True)


def forget_the_dead(state: State, w: int) -> State | None:
    """A look for the dead that gives nothing back."""
    other = 1 - w
    if state.workers[w].life != "up" or state.workers[other].life != "dead":
        return None
    return lease.with_worker(state, other, life="gone")


WRONG: Mapping[str, tuple[str, Transition, str]] = {
    "acked before what follows is stored": ("ack", Transition(ack_before_store, "wm"), "I3"),
    "a stalled worker is taken for dead": ("recover", Transition(recover_the_living, "w"), "I4"),
    "what is run is not marked": ("start", Transition(start_without_a_mark, "wm"), "I5"),
    "what runs is handed out": ("claim", Transition(claim_what_runs, "w"), "I2"),
    "a stale token acks": ("ack_late", Transition(ack_under_any_token, "wm"), "I"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_protocol_that_is_wrong_breaks_a_promise(wrong: str) -> None:
    verb, transition, promise = WRONG[wrong]
    with pytest.raises(Broken) as found:
        searched({**TRANSITIONS, **SHARED, verb: transition}, messages=1)
    assert found.value.rule.startswith(promise)
    assert found.value.trace[-1][0] in {verb, "claim", "start", "stall"}


def test_a_protocol_that_gives_nothing_back_leaves_messages_behind() -> None:
    forgetful = {**without("restart"), "recover": Transition(forget_the_dead, "w")}
    explored = searched(forgetful, messages=1)
    left = stranded(explored, is_end=lease.is_at_its_end)
    assert any(state.workers[0].life == "up" for state in left)


# -- engines ----------------------------------------------------------------------------------------

Walks = Callable[..., int]


@pytest.fixture
def walk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Walks:
    """Has the engine take every kind of step of a model; returns how many steps that were."""
    engine.hold_housekeeping(monkeypatch.setattr)

    def walk_all(
        transitions: Mapping[str, Transition], *, messages: int, kind: Callable[[State, Step], Any]
    ) -> int:
        explored = searched(transitions, messages=messages)
        with closing(Replay(engine, explored.first)) as replay:
            for steps in walks(explored, at_most=1_000, kind=kind):
                replay.walk(steps)
            return replay.steps

    return walk_all


engine_of_ours = pytest.mark.needs("looks_up", "counts_crashes", "asks_the_kernel")


@engine_of_ours
def test_an_engine_takes_every_kind_of_step(walk: Walks) -> None:
    assert walk(TRANSITIONS, messages=1, kind=lease.coarse_kind) > 300


@pytest.mark.starts_processes  # it starts none, and takes long
@pytest.mark.needs("looks_up", "counts_crashes", "asks_the_kernel", "priorities")
def test_an_engine_takes_every_step_of_the_model(walk: Walks) -> None:
    assert walk(TRANSITIONS, messages=1, kind=lease.kind) > 1_500


@engine_of_ours
def test_an_engine_takes_every_kind_of_step_of_a_queue_that_is_paused(walk: Walks) -> None:
    transitions = {**without("stall", "go_on", "retry_delayed", "release", "nack"), **PAUSES}
    assert walk(transitions, messages=1, kind=lease.coarse_kind) > 100


@pytest.mark.starts_processes  # it starts none, and takes long
@pytest.mark.needs("looks_up", "counts_crashes", "asks_the_kernel", "priorities")
def test_an_engine_takes_every_kind_of_step_of_two_messages(walk: Walks) -> None:
    assert walk(without("stall", "go_on"), messages=2, kind=lease.coarse_kind) > 1_500


@engine_of_ours
def test_an_engine_takes_every_kind_of_step_of_a_worker_that_is_taken_for_dead(
    engine: Engine, walk: Walks
) -> None:
    if not engine.IS_SHARED_BY_MACHINES:
        pytest.skip("no process is taken for dead that lives")
    transitions = {**without("retry_delayed", "release_delayed", "nack", "tick"), **SHARED}
    fewer = {verb: of_one_worker(transitions[verb]) for verb in ("stall", "lose")}
    assert walk({**transitions, **fewer}, messages=1, kind=lease.coarse_kind) > 300


# -- an engine that is wrong is found out -----------------------------------------------------------


def living_are_dead(setattr_: Callable[..., None]) -> None:
    setattr_(Peer, "is_dead", lambda _: True)


def marks_are_forgotten(setattr_: Callable[..., None]) -> None:
    setattr_(SQLiteBackend, "started", lambda *_: None)


def releases_count(setattr_: Callable[..., None]) -> None:
    setattr_(statements, "RELEASE", statements.RELEASE.replace("deliveries - 1", "deliveries"))


def what_follows_is_lost(setattr_: Callable[..., None]) -> None:
    enqueue = SQLiteBackend.enqueue
    setattr_(
        SQLiteBackend, "enqueue", lambda self, message: message.queue == "follows" or enqueue(self, message)
    )


def crashes_are_kept_by_a_retry(setattr_: Callable[..., None]) -> None:
    setattr_(statements, "RETRY", statements.RETRY.replace(", crashes = 0", ""))


def a_claim_that_is_blind_to_a_pause(setattr_: Callable[..., None]) -> None:
    for name in ("NEXT_READY", "CLAIM_ONE"):
        setattr_(statements, name, getattr(statements, name).replace("AND paused", "AND paused AND 0"))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "fault",
    [
        living_are_dead,
        marks_are_forgotten,
        releases_count,
        what_follows_is_lost,
        crashes_are_kept_by_a_retry,
        a_claim_that_is_blind_to_a_pause,
    ],
)
def test_an_engine_that_is_wrong_disagrees(
    walk: Walks, fault: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch.setattr)
    with pytest.raises(Disagreement):
        walk({**TRANSITIONS, **PAUSES}, messages=1, kind=lease.coarse_kind)
