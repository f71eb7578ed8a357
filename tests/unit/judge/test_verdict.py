"""The judge's sentence, on small ledgers."""

from __future__ import annotations

import time

from tests.judge.ledger import Accepted, Inbound, Ledger, Owed, Silence, Written
from tests.judge.verdict import Told, Verdict, judge

CONTACT = "whatsapp:+5511900000001"


def ledger(*, owed: Owed = "answer", is_taken: bool = True) -> Ledger:
    """One message of one contact."""
    ledger = Ledger()
    ledger.inbound.append(Inbound("m000001", CONTACT, "SM1", owed, is_taken))
    return ledger


def accept(ledger: Ledger, body: str, *, told: str | None = None) -> None:
    callback = "https://recado.example.com/webhooks/twilio/status?reply=r1#rc=5"
    ledger.accept(Accepted("SM2", CONTACT, "whatsapp:+15005550006", body, callback, told=told))


def test_a_message_that_is_answered_is_well() -> None:
    of = ledger()
    accept(of, "Resposta a m000001")
    assert judge(of, Told()) == Verdict(promised=1, answered=1)


def test_a_message_without_answer_of_which_nobody_is_told_is_lost() -> None:
    assert judge(ledger(), Told()).lost == ["m000001"]
    assert judge(ledger(), Told(texts=["a dead letter: Oi, m000001"])) == Verdict(promised=1, told=1)
    assert judge(ledger(), Told(waiting={CONTACT})) == Verdict(promised=1, told=1)


def test_nothing_was_promised_without_a_200() -> None:
    assert judge(ledger(is_taken=False), Told()) == Verdict()


def test_two_answers_to_one_message_are_one_too_many() -> None:
    of = ledger()
    accept(of, "Resposta a m000001")
    accept(of, "Resposta a m000001 m000002")
    assert judge(of, Told()).doubled == ["m000001"]


def test_a_contact_who_waits_for_a_person_has_to_be_seen() -> None:
    assert judge(ledger(owed="person"), Told()).untold == ["m000001"]
    assert judge(ledger(owed="person"), Told(waiting={CONTACT})).is_good


def test_a_text_that_a_person_wrote_has_to_be_sent_or_seen() -> None:
    of = Ledger()
    of.written.append(Written("p000001", CONTACT, "key", reply_id="r1"))
    of.written.append(Written("p000002", CONTACT, "key"))
    assert judge(of, Told()).untold == ["p000001"]
    assert judge(of, Told(texts=["failed: Aqui é a Ana, p000001."])).is_good


def test_the_assistant_may_not_speak_in_a_silence_and_a_person_may() -> None:
    of, now = ledger(owed="nothing"), time.monotonic()
    of.silences.append(Silence(CONTACT, now - 1, now + 1))
    accept(of, "Aqui é a Ana, p000001.")
    assert judge(of, Told()).is_good
    accept(of, "Resposta a m000001")
    assert judge(of, Told()).unwanted == ["m000001"]


def test_a_delivery_that_was_heard_of_is_shown() -> None:
    of = ledger()
    accept(of, "Resposta a m000001", told="delivered")
    assert judge(of, Told(delivery={"r1": "sent"})).stale == ["r1"]
    assert judge(of, Told(delivery={"r1": None})).stale == ["r1"]
    assert judge(of, Told(delivery={"r1": "read"})).is_good
    assert judge(of, Told(texts=["a dead letter: Resposta a m000001"], delivery={"r1": "sent"})).stale == []


def test_what_went_with_its_store_is_not_asked_for() -> None:
    of = ledger()
    accept(of, "Resposta a m000001")
    now = time.monotonic()
    of.inbound.append(Inbound("m000002", CONTACT, "SM3", "answer", is_taken=True, begun_at=now + 1))
    assert of.forget_before(now) == 0
    accept(of, "Resposta a m000001 m000002")
    assert judge(of, Told()) == Verdict(promised=1, answered=1)
