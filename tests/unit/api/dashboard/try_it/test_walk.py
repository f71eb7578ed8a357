"""The steps of a message's walk, from what is known of it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.conversations import ThreadEntry
from actors.reply import NOTHING_ELSE, Reply, ReplyState
from api.dashboard.try_it.network import Posted
from api.dashboard.try_it.outbox import SentReply
from api.dashboard.try_it.phones import OwnMessage
from api.dashboard.try_it.walk import Known, walk
from brokers.records import State, StoredMessage

from .parts import PHONE, reply

TAKEN = Posted(1_000, 200, 3.4)
ENTRY = ThreadEntry(
    author="contact",
    text="Oi",
    at=1_000,
    reply_id=None,
    message_id="AC1.SM1",
    external_id="SM1",
    state=None,
    delivery_status=None,
    error=None,
    written_by=None,
    content=NOTHING_ELSE,
    model=None,
    in_quarantine=False,
)
SENT = SentReply("reply-Olá", "SM2", "whatsapp:+15005550006", PHONE, "Olá", 4_000)


def stored(state: State, **more: Any) -> StoredMessage:
    return StoredMessage(
        "AC1.SM1", "messages", "process_ai_response", state, b"", 0, 1, 0, 1_000, 1_000, None, **more
    )


def answer(state: ReplyState, **more: Any) -> Reply:
    return reply("Olá")._replace(state=state, **more)


def known(**what: Any) -> Known:
    message = OwnMessage({"AccountSid": "AC1", "MessageSid": "SM1", "Body": "Oi"}, [TAKEN])
    nothing: dict[str, Any] = {"stored": None, "entry": None, "reply": None, "sent": None}
    return Known(**{"own": message, "together": 1, "with_assistant": True, **nothing, **what})


def standings(what: Known) -> str:
    """One letter for each step: d(one), n(ow), a(head), b(ad)."""
    return "".join(step.standing[0] for step in walk(what))


def remarks(what: Known) -> list[str]:
    return [remark for step in walk(what) for remark in step.remarks]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({}, "dnaaaa"),  # an engine that cannot look messages up
        ({"stored": stored("ready")}, "dnaaaa"),
        ({"stored": stored("delayed"), "entry": ENTRY}, "dnaaaa"),
        ({"stored": stored("running")}, "ddnaaa"),
        ({"stored": stored("running"), "entry": ENTRY}, "ddnaaa"),
        ({"entry": ENTRY}, "ddnaaa"),
        ({"stored": stored("dead", reason="failed"), "entry": ENTRY}, "ddbaaa"),
        ({"entry": ENTRY._replace(in_quarantine=True)}, "ddbaaa"),
        ({"entry": ENTRY, "with_assistant": False}, "ddaaaa"),
        ({"stored": stored("running"), "entry": ENTRY, "reply": answer("pending")}, "dddnaa"),
        ({"entry": ENTRY, "reply": answer("sending")}, "dddnaa"),
        ({"entry": ENTRY, "reply": answer("failed", error="given up")}, "dddbaa"),
        ({"entry": ENTRY, "reply": answer("sent"), "sent": SENT}, "dddddn"),
        ({"entry": ENTRY, "reply": answer("sent", delivery_status="queued"), "sent": SENT}, "dddddn"),
        ({"entry": ENTRY, "reply": answer("sent", delivery_status="delivered"), "sent": SENT}, "dddddd"),
        ({"entry": ENTRY, "reply": answer("undelivered", delivery_status="failed"), "sent": SENT}, "dddddb"),
    ],
)
def test_a_message_stands_where_its_stores_say(what: dict[str, Any], expected: str) -> None:
    assert standings(known(**what)) == expected


def test_a_refused_webhook_goes_nowhere() -> None:
    refused = OwnMessage({"AccountSid": "AC1", "MessageSid": "SM1", "Body": "Oi"}, [Posted(1, 403, 2.0)])

    assert standings(known(own=refused)) == "baaaaa"
    assert remarks(known(own=refused)) == ["403 in 2 ms"]


def test_steps_have_their_times() -> None:
    what = known(entry=ENTRY, reply=answer("sent"), sent=SENT)

    assert [step.at for step in walk(what)] == [1_000, None, 2_000, 3_000, 4_000, None]


def test_a_burst_a_repeat_and_a_death_are_told() -> None:
    again = OwnMessage({"AccountSid": "AC1", "MessageSid": "SM1", "Body": "Oi"}, [TAKEN, TAKEN])
    told = remarks(known(own=again, entry=ENTRY, reply=answer("sent"), together=3))
    assert told[2:] == [
        "known already: it is one message, answered once",
        "one reply to 3 messages",
    ]
    again.crashes = 1
    assert "Its worker died under it once" in remarks(known(own=again, entry=ENTRY))
    again.killed.append("worker-1")
    told = remarks(known(own=again, entry=ENTRY))
    assert told[-3:-1] == ["worker-1 was killed under it", "the queue handed it out again"]
