"""`dramatiq actors`: Dramatiq's own command line runs the actors."""

from __future__ import annotations

from tests.support.system import System


def test_it_says_what_it_runs_answers_and_stops_cleanly(front: System) -> None:
    program = front.dramatiq("actors", "-p", "1", "-t", "2")

    started = program.event("worker started")
    assert started["backend"] == front.settings.get("QUEUE_BACKEND", "sqlite")
    assert started["threads"] == 2
    assert {"process_ai_response", "send_reply", "record_delivery_status"} <= set(started["actors"])

    contact = front.contact()
    front.write("Oi", sender=contact)
    front.settle()
    assert len(front.twilio.sent_to(contact)) == 1

    assert program.terminate() == 0
