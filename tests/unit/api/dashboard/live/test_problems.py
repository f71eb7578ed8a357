"""What is said to be wrong, and where it leads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.dashboard.live.problems import (
    MANY_RESTARTS,
    RETRIED_S,
    SILENT_S,
    SLOW_S,
    STALLED_S,
    Problem,
    problems,
)
from api.dashboard.live.snapshot import Snapshot
from brokers.records import QueueStats
from brokers.spool import SpoolDepth

NOW = 1_700_000_000_000
QUEUE = QueueStats("messages", 0, 0, 0, 0, 100, None, False, counted_at=NOW)
WORKER = {"name": "worker-1", "kind": "worker", "state": "ready"}
CALM = Snapshot(NOW, [QUEUE], supervisor={"children": [WORKER]})


def waiting(seconds: float, **fields: Any) -> QueueStats:
    return replace(QUEUE, ready=12, oldest_due_at=NOW - int(seconds * 1000), **fields)


def child(**fields: Any) -> dict[str, Any]:
    """What the supervisor says of one that runs."""
    return {"children": [{**WORKER, **fields}]}


def only(snapshot: Snapshot) -> Problem:
    [problem] = problems(snapshot)
    return problem


@pytest.mark.parametrize(
    ("share", "severity", "text"),
    [
        (0.85, "warn", "85% of the budget of the day is used."),
        (1.02, "bad", "The budget of the day is used up: the assistant is silent until tomorrow, in UTC."),
    ],
)
def test_the_budget_of_the_day(share: float, severity: str, text: str) -> None:
    problem = only(replace(CALM, budget_used=share))
    assert (problem.severity, problem.text, problem.link) == (severity, text, "/dashboard/usage")


def test_nothing_is_wrong_when_nothing_is() -> None:
    assert problems(CALM) == []
    assert problems(Snapshot(NOW)) == []


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 customer waits for a person to answer."),
        (3, "3 customers wait for a person to answer."),
        (50, "At least 50 customers wait for a person to answer."),
    ],
)
def test_customers_come_first(count: int, text: str) -> None:
    first, *_ = problems(replace(CALM, need_person=count, engine_error="away"))
    assert (first.severity, first.text) == ("bad", text)
    assert first.link == "/dashboard/attention"


def test_what_did_not_get_through_is_no_calm() -> None:
    found = problems(replace(CALM, no_answer=1, not_through=2))

    assert [problem.text for problem in found] == [
        "1 message got no answer.",
        "2 replies did not get through, or perhaps not.",
    ]
    assert {problem.link for problem in found} == {"/dashboard/attention"}


def test_the_engine_is_away() -> None:
    found = only(Snapshot(NOW, engine_error="no answer within 2 s"))
    assert (found.severity, found.text) == ("bad", "The queue's engine is away: no answer within 2 s")


@pytest.mark.parametrize(
    ("store", "text"),
    [
        (
            "conversations",
            "The conversations cannot be used: no database. Messages wait until they can, and expire.",
        ),
        (
            "spool",
            "The spool cannot be used: no database. Webhooks are refused if Redis is away.",
        ),
        (
            "audit",
            "The audit log cannot be written: no database. Until then nothing can be changed here.",
        ),
    ],
)
def test_a_store_beside_the_queue_is_broken(store: str, text: str) -> None:
    found = only(replace(CALM, stores={store: "no database"}))
    assert (found.severity, found.text) == ("bad", text)


def test_a_paused_queue() -> None:
    found = only(replace(CALM, queues=[waiting(1_000, paused=True)], stalled_s={"messages": 1_000}))
    assert found == (
        "warn",
        "messages is paused: 12 messages waiting.",
        "/dashboard/queues/messages",
        "messages",
    )
    assert only(replace(CALM, queues=[replace(QUEUE, paused=True)])).text == "messages is paused."


def test_messages_wait_and_nothing_is_being_done() -> None:
    snapshot = replace(CALM, queues=[waiting(STALLED_S)], stalled_s={"messages": STALLED_S})
    found = only(snapshot)
    assert found.severity == "bad"
    assert found.text == (
        "The oldest message of messages has waited for 30 s, and nothing is being done. Does a worker run?"
    )
    assert problems(replace(snapshot, queues=[waiting(STALLED_S, running=1)])) == []
    assert problems(replace(snapshot, queues=[waiting(STALLED_S - 1)])) == []
    assert problems(replace(snapshot, stalled_s={"messages": STALLED_S - 1})) == []


def test_messages_wait_long_although_work_is_being_done() -> None:
    found = only(replace(CALM, queues=[waiting(SLOW_S, running=3)]))
    assert found.severity == "warn"
    assert found.text == "The oldest message of messages has waited for 2 min; 12 messages waiting."


def test_a_message_is_tried_again_and_again_although_none_is_due() -> None:
    found = only(replace(CALM, queues=[replace(QUEUE, delayed=1, waits_since=NOW - RETRIED_S * 1000)]))
    assert found.severity == "warn"
    assert found.text == "A message of messages has been tried for 5 min, and is not done."
    assert problems(replace(CALM, queues=[replace(QUEUE, waits_since=NOW - RETRIED_S * 1000 + 1)])) == []


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 dead letter of the last hour waits in messages."),
        (7, "7 dead letters of the last hour wait in messages."),
        (100, "At least 100 dead letters of the last hour wait in messages."),
    ],
)
def test_dead_letters_of_the_last_hour(count: int, text: str) -> None:
    found = only(replace(CALM, recent_dead={"messages": count}))
    assert found == ("bad", text, "/dashboard/dead-letters?queue=messages&since=1h", "Dead letters")


def test_the_spool_is_in_use() -> None:
    snapshot = replace(CALM, spool=SpoolDepth(3, 61.0), spool_trouble="connection refused")
    assert only(snapshot).text == (
        "Webhooks go to the spool (connection refused): 3 webhooks in this machine's spool, "
        "the oldest for 61 s."
    )
    assert problems(replace(snapshot, spool=SpoolDepth(0, 0.0), spool_trouble=None)) == []


def test_a_spool_that_cannot_be_read_is_worse() -> None:
    found = only(replace(CALM, stores={"spool": "the file is malformed"}, spool_trouble="connection refused"))
    assert (found.severity, "the file is malformed" in found.text) == ("bad", True)


def test_a_child_that_failed_is_worth_more_than_its_restarts() -> None:
    snapshot = replace(
        CALM, supervisor=child(failed="it ended 5 times in 60 s", state="failed"), restarts={"worker-1": 9}
    )
    assert [found.text for found in problems(snapshot)] == [
        "No worker runs.",
        "worker-1 failed: it ended 5 times in 60 s",
    ]


def test_a_child_that_is_restarted_again_and_again() -> None:
    snapshot = replace(
        CALM, supervisor=child(last_end="killed by signal 9"), restarts={"worker-1": MANY_RESTARTS}
    )
    assert only(snapshot).text == "worker-1 was restarted 3 times in ten minutes. Last: killed by signal 9"
    assert problems(replace(snapshot, restarts={"worker-1": MANY_RESTARTS - 1})) == []


def test_a_worker_that_says_nothing() -> None:
    assert (
        only(replace(CALM, supervisor=child(heard_s_ago=SILENT_S))).text
        == "worker-1 has been silent for 5 s."
    )
    assert problems(replace(CALM, supervisor=child(heard_s_ago=SILENT_S - 1))) == []


def test_messages_that_are_stuck() -> None:
    assert only(replace(CALM, supervisor=child(stuck=2))).text == "worker-1 has 2 stuck messages."


def test_signatures_that_do_not_match() -> None:
    found = only(replace(CALM, webhooks={"accepted": 9, "bad_signature": 1}))
    assert found.text.startswith("1 webhook with a wrong signature in the last ten minutes.")
    assert found.link == "#front-door"


def test_what_is_bad_comes_first() -> None:
    snapshot = replace(
        CALM, queues=[replace(QUEUE, paused=True)], recent_dead={"messages": 1}, webhooks={"bad_signature": 1}
    )
    assert [found.severity for found in problems(snapshot)] == ["bad", "bad", "warn"]


def test_a_queues_name_cannot_lead_elsewhere() -> None:
    found = only(replace(CALM, queues=[replace(QUEUE, queue="a/../b?c#d", paused=True)]))
    assert found.link == "/dashboard/queues/a%2F..%2Fb%3Fc%23d"
