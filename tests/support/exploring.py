"""Searches a model: a first state, and for each state the steps that can be taken from it.

A model is small enough for all of its states to be visited, so what holds in each of them holds in every
order of events. `explore` finds them, `walks` finds ways that take every step of every state at least once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
#: The name of a step: a verb, and whom it concerns.
Step = tuple[str, *tuple[int, ...]]

Steps = Callable[[S], Iterable[tuple[Step, S]]]


class TooMany(AssertionError):
    """The model has more states than its bound allows."""


class Broken(AssertionError):
    """Something that must hold in every state does not.

    Attributes:
      rule: what was to hold.
      trace: the shortest way there.
    """

    def __init__(self, rule: str, trace: list[Step], state: object) -> None:
        super().__init__(f"{rule}\nafter {written(trace)}\nin {state}")
        self.rule = rule
        self.trace = trace


def written(trace: Iterable[Step]) -> str:
    """Return a trace as people read it."""
    return ", ".join(f"{verb}({','.join(map(str, whom))})" for verb, *whom in trace)


@dataclass(frozen=True)
class Explored(Generic[S]):
    """All that can happen in a model.

    Attributes:
      first: the state in which it begins.
      edges: for each state that can be reached, its steps, and the states they lead to.
    """

    first: S
    edges: Mapping[S, tuple[tuple[Step, S], ...]]

    @property
    def transitions(self) -> int:
        return sum(map(len, self.edges.values()))


def explore(
    first: S, steps: Steps[S], *, broken: Callable[[S], str | None], at_most: int = 1_000_000
) -> Explored[S]:
    """Visit every state that can be reached, nearest first.

    Parameters:
      broken: names the rule that does not hold in a state, if there is one.
      at_most: so many states; with more than that the search says nothing, and fails.

    Raises:
      Broken: a rule does not hold somewhere.
      TooMany: there are more states.
    """
    came_by: dict[S, tuple[Step, S] | None] = {first: None}
    edges: dict[S, tuple[tuple[Step, S], ...]] = {}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        rule = broken(state)
        if rule is not None:
            raise Broken(rule, _way(came_by, state), state)
        edges[state] = tuple(steps(state))
        for step, after in edges[state]:
            if after not in came_by:
                came_by[after] = step, state
                waiting.append(after)
        if len(came_by) > at_most:
            raise TooMany(f"more than {at_most} states")
    return Explored(first, edges)


def _way(came_by: Mapping[S, tuple[Step, S] | None], state: S) -> list[Step]:
    trace: list[Step] = []
    while (came := came_by[state]) is not None:
        step, state = came
        trace.append(step)
    return trace[::-1]


def stranded(explored: Explored[S], *, is_end: Callable[[S], bool]) -> list[S]:
    """Return the states from which no end can be reached."""
    before: dict[S, list[S]] = {state: [] for state in explored.edges}
    for state, edges in explored.edges.items():
        for _, after in edges:
            before[after].append(state)
    reached = {state for state in explored.edges if is_end(state)}
    waiting = list(reached)
    while waiting:
        for state in before[waiting.pop()]:
            if state not in reached:
                reached.add(state)
                waiting.append(state)
    return [state for state in explored.edges if state not in reached]


def walks(
    explored: Explored[S],
    *,
    at_most: int,
    kind: Callable[[S, Step], Hashable] = lambda state, step: (state, step),
) -> Iterator[list[tuple[Step, S]]]:
    """Yield walks from the first state that together take a step of every kind at least once.

    Parameters:
      at_most: a walk goes on for so many steps, before a new one begins.
      kind: which steps of which states are as good as each other. By default no two are.
    """
    taken: set[Hashable] = set()
    left = {state: list(edges) for state, edges in explored.edges.items()}

    def next_of(state: S) -> tuple[Step, S] | None:
        """A step whose kind was not taken; those whose kind was are forgotten."""
        edges = left[state]
        while edges and kind(state, edges[-1][0]) in taken:
            edges.pop()
        return edges[-1] if edges else None

    while True:
        walk: list[tuple[Step, S]] = []
        state = explored.first
        while len(walk) < at_most:
            edge = next_of(state)
            way = [edge] if edge else _to_next(explored, state, next_of)
            if not way:
                break
            for step, after in way:
                taken.add(kind(state, step))
                walk.append((step, after))
                state = after
        if not walk:
            return
        yield walk


def _to_next(
    explored: Explored[S], start: S, next_of: Callable[[S], tuple[Step, S] | None]
) -> list[tuple[Step, S]]:
    """Return the shortest way to a state that has a step left; none when there is no such state ahead."""
    came_by: dict[S, tuple[Step, S] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        if next_of(state):
            way: list[tuple[Step, S]] = []
            while (came := came_by[state]) is not None:
                step, before = came
                way.append((step, state))
                state = before
            return way[::-1]
        for step, after in explored.edges[state]:
            if after not in came_by:
                came_by[after] = step, state
                waiting.append(after)
    return []
