"""Which dead letters a request means, and which actions on them can be continued."""

from __future__ import annotations

import pytest

from api.audit_log import AuditEntry
from api.dashboard.access.user import User
from api.dashboard.page_request import NotFound, PageRequest
from api.dashboard.pages.bulk_actions import DeadLetterAction, action_of, may_continue
from api.dashboard.pages.dead_letter_filters import (
    chosen,
    confirmed,
    fields_to_confirm,
    to_details,
    until_now,
)
from brokers.records import DeadLetterFilter

OPERATOR = User("maria", "operator")


def asked(*fields: tuple[str, str]) -> PageRequest:
    """A form with these fields."""
    return PageRequest(OPERATOR, "/dashboard/dead-letters", "", fields, {}, token="", address="")


def entry(action: str, *, who: str = "maria") -> AuditEntry:
    """An entry of the audit log that has begun."""
    return AuditEntry(1, 0, None, who, "", action, "all", {}, 1, 0, 0, "begun")


@pytest.mark.parametrize(
    ("action", "audited"),
    [
        (DeadLetterAction.REPLAY, "replay dead letters"),
        (DeadLetterAction.DISCARD, "discard dead letters"),
    ],
)
def test_an_action_is_found_again_by_the_name_in_the_audit_log(
    action: DeadLetterAction, audited: str
) -> None:
    """Files of earlier versions hold these names."""
    assert action.audited == audited
    assert action_of(entry(audited)) is action


@pytest.mark.parametrize("action", ["replay", "reveal message", "replay all dead letters", "pause queue", ""])
def test_what_only_reads_like_an_action_is_none(action: str) -> None:
    assert action_of(entry(action)) is None
    assert not may_continue(entry(action), OPERATOR)


def test_only_the_user_who_began_an_action_may_continue_it() -> None:
    assert may_continue(entry("replay dead letters"), OPERATOR)
    assert not may_continue(entry("replay dead letters", who="joana"), OPERATOR)
    by_command = entry("discard dead letters")._replace(origin="cli")
    assert not may_continue(by_command, OPERATOR), "it does not say which: all would be meant"


def test_picked_dead_letters_are_meant_by_their_ids_alone() -> None:
    fields = (("id", "b"), ("queue", "messages"), ("id", "a"), ("id", "b"))
    assert chosen(asked(*fields)) == DeadLetterFilter(message_ids=["b", "a"])


def test_nothing_is_meant_when_nothing_was_picked() -> None:
    with pytest.raises(NotFound):
        chosen(asked(("queue", "messages")))


def test_a_confirmation_is_about_what_was_counted() -> None:
    """A period back from now would mean other dead letters by the time it is confirmed."""
    shown = asked(("every", "1"), ("queue", "messages"), ("since", "1h"), ("before", ""), ("token", "t"))
    counted = until_now(chosen(shown))

    fields = fields_to_confirm(shown, counted)

    assert dict(fields).keys() == {"every", "queue", "died_since", "died_before"}
    assert confirmed(asked(*fields)) == counted
    assert DeadLetterFilter(**to_details(counted)) == counted
