"""Doing something to many dead letters, in steps that a request can wait for."""

from __future__ import annotations

import time

from brokers.records import DeadLetterFilter

from ..access.audit_log import AuditEntry
from ..context import DashboardContext

#: How long one request may work, in seconds. A replay is a commit of its own.
BUDGET_S = 0.3

#: How many are replayed or discarded between two looks at the clock. Deleting so many holds up other writers
#: for a few milliseconds.
STEP = 100


def go_on(context: DashboardContext, entry: AuditEntry) -> AuditEntry:
    """Do more of what an entry of the audit log says; return the entry as it is then.

    What was discarded or replayed is gone from the list, so the next are always at its head, after those that
    could not be.
    """
    act = _discard if entry.action.startswith("discard") else _replay
    which = DeadLetterFilter(**entry.details)
    until = time.monotonic() + BUDGET_S
    failed = entry.failed
    while time.monotonic() < until:
        letters = context.backend.dead_letters(which, limit=STEP, offset=failed)
        ids = [letter.message_id for letter in letters]
        done = act(context, ids) if ids else 0
        failed += len(ids) - done
        at_end = len(ids) < STEP
        context.audit.record_progress(
            entry.entry_id, done=done, failed=len(ids) - done, outcome="done" if at_end else "begun"
        )
        if at_end:
            break
    return context.audit.get(entry.entry_id) or entry


def _replay(context: DashboardContext, ids: list[str]) -> int:
    return sum(context.broker.replay(message_id) for message_id in ids)


def _discard(context: DashboardContext, ids: list[str]) -> int:
    return context.backend.discard(DeadLetterFilter(message_ids=ids))
