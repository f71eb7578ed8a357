"""The lease protocol as a model: what docs/promises.md says of claims, settling, crashes and recovery.

Two workers and one or two messages. What a worker believes it holds is kept apart from what the store says: a
worker that was taken for dead comes back with tokens that are worthless. Every transition is in
`TRANSITIONS`, every promise in `PROMISES`. Deliveries are not part of a state: they are counted along a trace
(`counted`), so that the model is finite without a bound on them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, NamedTuple, TypeVar

from tests.support.exploring import Step

T = TypeVar("T")

#: After more crashes than this in a row a message is a dead letter.
MAX_DELIVERIES = 1


class Message(NamedTuple):
    """What the store says of a message.

    Attributes:
      place: ready, delayed, running, acked, failed (a dead letter), or killed (one by its crashes).
      holder: the worker that it was handed to.
      marked: the store knows that the holder has begun to run it.
      crashes: how many workers died while they ran it, since a run of it ended.
      followed: what follows from it is stored.
      ended: how often it was acked, or became a dead letter.
    """

    place: str = "ready"
    holder: int | None = None
    marked: bool = False
    crashes: int = 0
    followed: bool = False
    ended: int = 0


class Worker(NamedTuple):
    """A worker, and what it believes.

    Attributes:
      life: up, stalled (it lives, and does nothing), lost (stalled, and taken for dead by the next that
        looks), dead (and no other has looked), gone (dead, and what it held was given back).
      was_lost: it was taken for dead while it lived, at some time.
      fresh: for each message, what it does under a token that is good: nothing, held, or runs.
      stale: the same, under a token that is good no more.
    """

    life: str
    was_lost: bool
    fresh: tuple[str, ...]
    stale: tuple[str, ...]


class State(NamedTuple):
    messages: tuple[Message, ...]
    workers: tuple[Worker, ...]
    paused: bool = False


def beginning(messages: int, workers: int = 2) -> State:
    """Return the first state: every message is ready, every worker up."""
    nothing = ("",) * messages
    return State((Message(),) * messages, (Worker("up", False, nothing, nothing),) * workers)


# -- changes ----------------------------------------------------------------------------------------


def _replaced(items: tuple[T, ...], place: int, item: T) -> tuple[T, ...]:
    return (*items[:place], item, *items[place + 1 :])


def with_message(state: State, m: int, **fields: Any) -> State:
    changed = state.messages[m]._replace(**fields)
    return state._replace(messages=_replaced(state.messages, m, changed))


def with_worker(state: State, w: int, **fields: Any) -> State:
    changed = state.workers[w]._replace(**fields)
    return state._replace(workers=_replaced(state.workers, w, changed))


def with_belief(state: State, w: int, m: int, belief: str, *, stale: bool = False) -> State:
    name = "stale" if stale else "fresh"
    return with_worker(state, w, **{name: _replaced(getattr(state.workers[w], name), m, belief)})


def let_go(state: State, m: int, place: str, **fields: Any) -> State:
    """The store takes a message from its holder."""
    ends = place in ENDS
    ended = state.messages[m].ended + ends
    if ends:
        fields = {"crashes": 0, "followed": state.messages[m].followed, **fields}
    return with_message(state, m, place=place, holder=None, marked=False, ended=ended, **fields)


#: How a message ends.
ENDS = frozenset({"acked", "failed", "killed"})


def give_back(state: State, w: int) -> State:
    """The store gives back what a worker held, with one crash more for what it ran."""
    for m, message in enumerate(state.messages):
        if message.place != "running" or message.holder != w:
            continue
        if not message.marked:
            state = let_go(state, m, "ready")
        elif message.crashes + 1 > MAX_DELIVERIES:
            state = let_go(state, m, "killed")
        else:
            state = let_go(state, m, "ready", crashes=message.crashes + 1)
        if belief := state.workers[w].fresh[m]:
            state = with_belief(with_belief(state, w, m, ""), w, m, belief, stale=True)
    return state


def claimable(state: State) -> int | None:
    """Return the message that a claim gets: they have a priority each."""
    if state.paused:
        return None
    return next((m for m, each in enumerate(state.messages) if each.place == "ready"), None)


# -- transitions ------------------------------------------------------------------------------------


def claim(state: State, w: int) -> State | None:
    if state.workers[w].life != "up":
        return None
    m = claimable(state)
    if m is None:
        return state
    return with_belief(with_message(state, m, place="running", holder=w), w, m, "held")


def start(state: State, w: int, m: int) -> State | None:
    if state.workers[w].life != "up" or state.workers[w].fresh[m] != "held":
        return None
    return with_message(with_belief(state, w, m, "runs"), m, marked=True)


def start_late(state: State, w: int, m: int) -> State | None:
    """It cannot know that its token is worthless."""
    if state.workers[w].life != "up" or state.workers[w].stale[m] != "held":
        return None
    return with_belief(state, w, m, "runs", stale=True)


def follow(state: State, w: int, m: int) -> State | None:
    """What follows from a message is stored, before the message is acked."""
    if state.workers[w].life != "up" or state.workers[w].fresh[m] != "runs":
        return None
    return with_message(state, m, followed=True)


def _settles(place: str, *, needs: frozenset[str], **fields: Any) -> Callable[..., State | None]:
    def settle(state: State, w: int, m: int) -> State | None:
        if state.workers[w].life != "up" or state.workers[w].fresh[m] not in needs:
            return None
        return with_belief(let_go(state, m, place, **fields), w, m, "")

    return settle


def _settles_late(*, needs: frozenset[str]) -> Callable[..., State | None]:
    """Under a token that is good no more nothing changes but what the worker believes."""

    def settle_late(state: State, w: int, m: int) -> State | None:
        if state.workers[w].life != "up" or state.workers[w].stale[m] not in needs:
            return None
        return with_belief(state, w, m, "", stale=True)

    return settle_late


RUNS = frozenset({"runs"})
HOLDS = frozenset({"held", "runs"})
_ack = _settles("acked", needs=RUNS)


def ack(state: State, w: int, m: int) -> State | None:
    return _ack(state, w, m) if state.messages[m].followed else None


def crash(state: State, w: int) -> State | None:
    if state.workers[w].life not in {"up", "stalled", "lost"}:
        return None
    nothing = ("",) * len(state.messages)
    return with_worker(state, w, life="dead", was_lost=False, fresh=nothing, stale=nothing)


def recover(state: State, w: int) -> State | None:
    """Look for the dead, and give back what they held."""
    if state.workers[w].life != "up":
        return None
    return recovered(state, w)


def recovered(state: State, by: int, *, taken: frozenset[str] = frozenset({"dead", "lost"})) -> State:
    for other, worker in enumerate(state.workers):
        if other != by and worker.life in taken:
            state = give_back(state, other)
            if worker.life == "dead":
                state = with_worker(state, other, life="gone")
    return state


def restart(state: State, w: int) -> State | None:
    """Another process takes the place of one that died. It looks for the dead first."""
    if state.workers[w].life not in {"dead", "gone"}:
        return None
    return with_worker(recovered(give_back(state, w), w), w, life="up")


def stall(state: State, w: int) -> State | None:
    return with_worker(state, w, life="stalled") if state.workers[w].life == "up" else None


def lose(state: State, w: int) -> State | None:
    """A worker of another machine was silent for too long."""
    return with_worker(state, w, life="lost", was_lost=True) if state.workers[w].life == "stalled" else None


def go_on(state: State, w: int) -> State | None:
    return with_worker(state, w, life="up") if state.workers[w].life in {"stalled", "lost"} else None


def again(state: State) -> State | None:
    """Other messages are stored where all have ended. A worker may still hold worthless tokens of those."""
    return state._replace(messages=(Message(),) * len(state.messages)) if is_at_its_end(state) else None


def tick(state: State) -> State | None:
    """The time comes for which delayed messages wait."""
    delayed = [m for m, each in enumerate(state.messages) if each.place == "delayed"]
    for m in delayed:
        state = with_message(state, m, place="ready")
    return state if delayed else None


def pause(state: State) -> State | None:
    return None if state.paused else state._replace(paused=True)


def resume(state: State) -> State | None:
    return state._replace(paused=False) if state.paused else None


@dataclass(frozen=True)
class Transition:
    """Something that happens.

    Attributes:
      after: makes the next state, or None where it cannot happen.
      whom: what it concerns: `""` the queue, `"w"` a worker, `"wm"` a worker and a message.
    """

    after: Callable[..., State | None]
    whom: str


TRANSITIONS: Mapping[str, Transition] = {
    "claim": Transition(claim, "w"),
    "start": Transition(start, "wm"),
    "follow": Transition(follow, "wm"),
    "ack": Transition(ack, "wm"),
    "nack": Transition(_settles("failed", needs=RUNS), "wm"),
    "retry": Transition(_settles("ready", needs=RUNS, crashes=0), "wm"),
    "retry_delayed": Transition(_settles("delayed", needs=RUNS, crashes=0), "wm"),
    "release": Transition(_settles("ready", needs=HOLDS), "wm"),
    "release_delayed": Transition(_settles("delayed", needs=HOLDS), "wm"),
    "crash": Transition(crash, "w"),
    "recover": Transition(recover, "w"),
    "restart": Transition(restart, "w"),
    "stall": Transition(stall, "w"),
    "go_on": Transition(go_on, "w"),
    "tick": Transition(tick, ""),
    "again": Transition(again, ""),
}

#: What a queue that can be paused adds.
PAUSES: Mapping[str, Transition] = {"pause": Transition(pause, ""), "resume": Transition(resume, "")}

#: What is added where processes of several machines share the store: one can be taken for dead that lives.
SHARED: Mapping[str, Transition] = {
    "lose": Transition(lose, "w"),
    "start_late": Transition(start_late, "wm"),
    "ack_late": Transition(_settles_late(needs=RUNS), "wm"),
    "nack_late": Transition(_settles_late(needs=RUNS), "wm"),
    "retry_late": Transition(_settles_late(needs=RUNS), "wm"),
    "release_late": Transition(_settles_late(needs=HOLDS), "wm"),
}


def steps(transitions: Mapping[str, Transition], state: State) -> Iterator[tuple[Step, State]]:
    """Iterate over all that can happen in a state."""
    workers, messages = range(len(state.workers)), range(len(state.messages))
    concerned: Mapping[str, Sequence[tuple[int, ...]]] = {
        "": [()],
        "w": [(w,) for w in workers],
        "wm": [(w, m) for w in workers for m in messages],
    }
    for name, transition in transitions.items():
        for whom in concerned[transition.whom]:
            after = transition.after(state, *whom)
            if after is not None:
                yield (name, *whom), after


# -- what must hold ---------------------------------------------------------------------------------


def _ends_once(state: State) -> bool:
    return all(each.ended == (each.place in ENDS) for each in state.messages)


def _is_held_by_one(state: State) -> bool:
    return all(
        [w for w, worker in enumerate(state.workers) if worker.life != "gone" and worker.fresh[m]]
        in ([], [message.holder])
        and (message.holder is not None) == (message.place == "running")
        for m, message in enumerate(state.messages)
    )


def _runs_once(state: State) -> bool:
    """A worker that was taken for dead may still run what another runs: it was never sure of it."""
    sure = [each for each in state.workers if each.life in {"up", "stalled"} and not each.was_lost]
    return all(
        sum("runs" in {worker.fresh[m], worker.stale[m]} for worker in sure) <= 1
        for m in range(len(state.messages))
    )


def _follows(state: State) -> bool:
    return all(each.followed for each in state.messages if each.place == "acked")


def _crashes_are_counted(state: State) -> bool:
    return all(
        each.crashes <= MAX_DELIVERIES and (each.marked <= (each.place == "running"))
        for each in state.messages
    )


def _living_keep_theirs(state: State) -> bool:
    return all(worker.was_lost or not any(worker.stale) for worker in state.workers)


def _marks_are_true(state: State) -> bool:
    """The store blames the holder's crash on what it ran, and on nothing else."""
    return all(
        message.marked == (state.workers[message.holder].fresh[m] == "runs")
        for m, message in enumerate(state.messages)
        if message.holder is not None and state.workers[message.holder].life in {"up", "stalled"}
    )


#: What docs/promises.md says, as something that holds in every state.
PROMISES: Mapping[str, Callable[[State], bool]] = {
    "I2, I4: a message is held by one worker, and while it runs": _is_held_by_one,
    "I4: a living worker keeps what it holds": _living_keep_theirs,
    "I4: no two living workers run one message": _runs_once,
    "I5: a crash counts for what was run, and is counted": _marks_are_true,
    "I5: a message that killed its workers is handed out no more": _crashes_are_counted,
    "I3: what follows from an acked message is stored": _follows,
    "I7: a message ends once: acked, or a dead letter": _ends_once,
}


def broken(state: State) -> str | None:
    """Return the promise that a state breaks."""
    return next((name for name, holds in PROMISES.items() if not holds(state)), None)


def is_at_its_end(state: State) -> bool:
    """Whether every message has ended."""
    return all(each.place in ENDS for each in state.messages)


def counted(before: State, step: Step, after: State) -> list[int]:
    """Return by how much each message's count of deliveries changes with a step."""
    changes = []
    for was, now in zip(before.messages, after.messages, strict=True):
        if step[0] == "claim":
            changes.append(int(was.holder != now.holder))
        elif was.holder is None or now.holder is not None:
            changes.append(0)
        elif step[0].startswith("release"):
            changes.append(-1)
        else:  # what a dead worker had only claimed counts as not delivered
            changes.append(-int(step[0] in {"recover", "restart"} and not was.marked))
    return changes


def kind(state: State, step: Step) -> Hashable:
    """Return what makes a step another than the others: the two workers are as good as each other."""
    return min(_seen_by(state, step, order) for order in permutations(range(len(state.workers))))


def _seen_by(state: State, step: Step, order: tuple[int, ...]) -> tuple[object, ...]:
    verb, *whom = step
    if whom:
        whom[0] = order.index(whom[0])
    messages = [
        each._replace(holder=-1 if each.holder is None else order.index(each.holder))
        for each in state.messages
    ]
    return verb, tuple(whom), tuple(messages), tuple(state.workers[w] for w in order), state.paused


def coarse_kind(state: State, step: Step) -> Hashable:
    """The same, whatever the messages and the workers have been through before."""
    messages = tuple(each._replace(crashes=0, followed=False, ended=0) for each in state.messages)
    workers = tuple(each._replace(was_lost=False) for each in state.workers)
    return kind(State(messages, workers, state.paused), step)
