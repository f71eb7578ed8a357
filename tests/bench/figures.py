"""What was measured: figures, beside a peer's, against a bar."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Sense = Literal["at least", "more than", "at most", "less than"]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure has to meet.

    Attributes:
      of: whether the bar is for the ratio to the peer's figure, or for the figure itself.
    """

    sense: Sense
    limit: float
    of: Literal["ratio", "figure"] = "ratio"

    def is_met(self, value: float) -> bool:
        match self.sense:
            case "at least":
                return value >= self.limit
            case "more than":
                return value > self.limit
            case "at most":
                return value <= self.limit
            case "less than":
                return value < self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the results.

    Attributes:
      what: what is measured.
      unit: of both figures.
      ours: Recado's figure.
      our_runs: what each run gave.
      peer: whose figure stands beside it; None where there is none.
      theirs, their_runs: the peer's.
      bar: what has to be met; None for a figure that is here for information.
    """

    what: str
    unit: str
    ours: float
    our_runs: tuple[float, ...]
    peer: str | None = None
    theirs: float | None = None
    their_runs: tuple[float, ...] = ()
    bar: Bar | None = None

    @property
    def ratio(self) -> float | None:
        """Ours to theirs."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is met; None where there is none."""
        if self.bar is None:
            return None
        value = self.ratio if self.bar.of == "ratio" else self.ours
        return value is not None and self.bar.is_met(value)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "is_met": self.is_met}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Figure:
        known = {name: fields[name] for name in cls.__slots__}
        known["bar"] = Bar(**fields["bar"]) if fields["bar"] else None
        return cls(**known)


def figure(
    what: str,
    unit: str,
    ours: Sequence[float],
    *,
    peer: str | None = None,
    theirs: Sequence[float] = (),
    bar: Bar | None = None,
    of: Callable[[Sequence[float]], float] = statistics.median,
) -> Figure:
    """Make one figure of several runs.

    Parameters:
      of: makes one number of the runs: the median, or the worst where the bar is for the worst.
    """
    return Figure(
        what,
        unit,
        of(ours),
        tuple(ours),
        peer=peer,
        theirs=of(theirs) if theirs else None,
        their_runs=tuple(theirs),
        bar=bar,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not exceeded by `percent` per cent of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * percent // 100) - 1))]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the straight line through the points, by least squares."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    line = statistics.linear_regression([x for x, _ in points], [y for _, y in points])
    return float(line.slope)
