"""The contract of a place where something of a person is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from .person import Person


class Erased(NamedTuple):
    """Tells what was erased in a place.

    Attributes:
      counts: how many of what.
      running: how many messages stay because workers are at them just now.
      left: why something may be left, for people.
    """

    counts: Mapping[str, int]
    running: int = 0
    left: Sequence[str] = ()


class Place(Protocol):
    """A place where something of a person is kept.

    Attributes:
      name: for people.
    """

    @property
    def name(self) -> str: ...

    def export(self, person: Person) -> Sequence[Mapping[str, Any]]:
        """Return all that is kept of a person, made of what JSON is made of. Times are ISO 8601, UTC."""
        ...

    def erase(self, person: Person) -> Erased:
        """Erase it. Erasing again changes nothing, and goes on with what was left.

        Raises:
          EngineError: it could not; nothing of what was erased comes back.
        """
        ...
