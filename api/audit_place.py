"""Masks a person in the audit log: it records what operators searched for, and that may be a number."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from actors.privacy import Erased, Person
from actors.privacy.times import with_times
from brokers.sqlite.storage import rewrite

from .audit_log import AuditEntry, AuditLog


class AuditPlace:
    """The audit log, as a place where something of a person is kept.

    Entries stay, and a number in them becomes a masked one.

    Parameters:
      audit: the log.
    """

    name = "audit"

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    def export(self, person: Person) -> Sequence[Mapping[str, Any]]:
        return [with_times(entry._asdict()) for entry in self._about(person)]

    def erase(self, person: Person) -> Erased:
        entries = self._about(person)
        for entry in entries:
            self._audit.rewrite_words(
                entry.entry_id,
                target=person.hidden_in(entry.target, by=person.masked),
                details=json.loads(person.hidden_in(json.dumps(entry.details), by=_in_json(person.masked))),
            )
        return Erased({"masked entries": len(entries)}, left=rewrite(self._audit.database))

    def _about(self, person: Person) -> list[AuditEntry]:
        return [
            entry
            for entry in self._audit.mentioning(person.name)
            if person.occurs_in(entry.target) or person.occurs_in(json.dumps(entry.details))
        ]


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]
