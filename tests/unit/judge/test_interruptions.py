"""What the judge makes of a model's requests that were cut off: which message ran again, and how soon."""

from __future__ import annotations

import math

import pytest

from tests.judge.ledger import Inbound, Ledger
from tests.judge.model import Ask
from tests.judge.peers.interruptions import pauses


def ledger(*, taken_at: float = 1.0) -> Ledger:
    """One message of one contact."""
    ledger = Ledger()
    contact = "whatsapp:+5511900000001"
    ledger.inbound.append(Inbound("m000001", contact, "SM1", "answer", is_taken=True, taken_at=taken_at))
    return ledger


def ask(at: float, *, cut_off_at: float | None = None) -> Ask:
    return Ask(["m000001"], at, cut_off_at)


def test_the_pause_counts_from_the_death_until_the_model_is_asked_anew() -> None:
    asks = [ask(5, cut_off_at=6), ask(10.5)]
    assert pauses(ledger(), asks, [1.5, 5.5, 20.0]) == [5.0]


def test_each_death_counts() -> None:
    asks = [ask(5, cut_off_at=6), ask(10, cut_off_at=11), ask(13)]
    assert pauses(ledger(), asks, [5.5, 10.5]) == [4.5, 2.5]


def test_a_message_that_never_runs_again_waits_for_ever() -> None:
    assert pauses(ledger(), [ask(5, cut_off_at=6)], [5.5]) == [math.inf]


def test_a_message_whose_program_had_its_answer_was_not_interrupted() -> None:
    assert pauses(ledger(), [ask(5), ask(10)], [5.5]) == []


def test_nothing_is_owed_for_what_had_no_200_before_the_death() -> None:
    assert pauses(ledger(taken_at=7.0), [ask(5, cut_off_at=6), ask(10)], [5.5]) == []


def test_a_request_that_is_read_after_the_death_of_its_program_counts_from_that_death() -> None:
    """The next death has nothing to do with it: by then the message is answered."""
    asks = [ask(5, cut_off_at=6), ask(7)]
    assert pauses(ledger(), asks, [4.9, 20.0]) == [pytest.approx(2.1)]


def test_a_program_that_gives_up_by_itself_was_not_killed() -> None:
    assert pauses(ledger(), [ask(5, cut_off_at=6), ask(10)], [2.0]) == []
