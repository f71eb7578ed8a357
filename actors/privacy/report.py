"""Exports and erases a person in every place, and says what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from brokers.clock import now_ms

from .conversations_place import ConversationsPlace
from .person import Person
from .place import Erased, Place
from .times import iso

logger = structlog.get_logger(__name__)

#: A warning, while workers are at messages of the person.
RUNNING = "{count} message(s) are being worked on now, and may write something down again: run this again."


@dataclass(frozen=True, slots=True)
class Report:
    """Tells what was erased, by place."""

    erased: Mapping[str, Erased]

    @property
    def count(self) -> int:
        """Return how many things were erased in all."""
        return sum(sum(each.counts.values()) for each in self.erased.values())

    @property
    def running(self) -> int:
        """Return how many messages are being worked on, and stay."""
        return sum(each.running for each in self.erased.values())

    @property
    def warnings(self) -> list[str]:
        """Return why something may be left, for people."""
        left = [why for each in self.erased.values() for why in each.left]
        return [RUNNING.format(count=self.running), *left] if self.running else left

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "erased": {place: dict(each.counts) for place, each in self.erased.items()},
            "running": self.running,
            "warnings": self.warnings,
        }


def export(person: Person, places: Sequence[Place]) -> dict[str, Any]:
    """Return all that is kept of a person, as one document made of what JSON is made of."""
    person = _by_all_names(person, places)
    return {
        "contact": f"+{person.name}" if person.is_number else person.name,
        "exported_at": iso(now_ms()),
        **{place.name: list(place.export(person)) for place in places},
    }


def encoded(document: Mapping[str, Any]) -> bytes:
    """Write an export as JSON, with text as people write it. Halves of surrogate pairs are escaped."""
    return json.dumps(document, ensure_ascii=False, indent=1).encode(errors="backslashreplace")


def counted(document: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return how much of what an export has, by place."""
    counts = {}
    for place, found in document.items():
        if not isinstance(found, list):
            continue
        if place == "conversations":
            kinds = {kind: sum(len(each[kind]) for each in found) for kind in ("messages", "replies")}
            counts[place] = {"conversations": len(found), **kinds}
        else:
            counts[place] = {"entries": len(found)}
    return counts


def erase(person: Person, places: Sequence[Place]) -> Report:
    """Erase all that is kept of a person, place by place.

    Raises:
      EngineError: a place could not be reached. The places before it are erased; erasing again goes on.
    """
    person = _by_all_names(person, places)
    report = Report({place.name: place.erase(person) for place in places})
    logger.info(
        "a person's data was erased", contact=person.masked, count=report.count, running=report.running
    )
    return report


def _by_all_names(person: Person, places: Sequence[Place]) -> Person:
    """Return the person with all names that their conversations know: elsewhere only those may stand."""
    names = [
        name
        for place in places
        if isinstance(place, ConversationsPlace)
        for name in place.other_names(person)
    ]
    return person.known_as(names)
