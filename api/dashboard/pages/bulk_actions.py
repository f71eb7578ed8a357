"""Replays or discards many dead letters, in steps that a request can wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum

from brokers.records import DeadLetterFilter

from ...audit_log import AuditEntry
from ..access.user import User
from ..context import DashboardContext
from ..language.catalogue import gettext

#: How long one request may work, in seconds. A replay is a commit of its own.
BUDGET_S = 0.3

#: How many are replayed or discarded between two readings of the clock. Deleting so many holds up other
#: writers for a few milliseconds.
STEP = 100


class DeadLetterAction(StrEnum):
    """Names what can be done with dead letters, as forms send it."""

    REPLAY = "replay"
    DISCARD = "discard"

    @property
    def audited(self) -> str:
        """Return the action's name in the audit log, by which an entry is continued."""
        return f"{self.value} dead letters"

    @property
    def label(self) -> str:
        """Return the label of a button."""
        return gettext("Replay") if self is DeadLetterAction.REPLAY else gettext("Discard")


_BY_AUDITED = {action.audited: action for action in DeadLetterAction}


def action_of(entry: AuditEntry) -> DeadLetterAction | None:
    """Return the action that an entry of the audit log is about; None for any other entry."""
    return _BY_AUDITED.get(entry.action)


def may_continue(entry: AuditEntry, user: User) -> bool:
    """Tell whether a user may continue or stop an entry: only the user who began it here may."""
    return entry.origin == "dashboard" and entry.who == user.name and action_of(entry) is not None


def run_for_a_while(context: DashboardContext, entry: AuditEntry, action: DeadLetterAction) -> AuditEntry:
    """Do more of what an entry of the audit log says, and return the entry as it is then.

    A dead letter that was discarded or replayed is gone from the list. So the next ones are always at the
    head of the list, after those for which the action failed.
    """
    act = _ACTS[action]
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


def _replay(context: DashboardContext, ids: Sequence[str]) -> int:
    return sum(context.broker.replay(message_id) for message_id in ids)


def _discard(context: DashboardContext, ids: Sequence[str]) -> int:
    return context.backend.discard(DeadLetterFilter(message_ids=ids))


_ACTS: dict[DeadLetterAction, Callable[[DashboardContext, Sequence[str]], int]] = {
    DeadLetterAction.REPLAY: _replay,
    DeadLetterAction.DISCARD: _discard,
}
