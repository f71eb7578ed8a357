"""Responders and actors of one's own, from a file in the directory where `recado` is started.

They are the README's, as it has them.
"""

from __future__ import annotations

import pytest

from tests.support.system import System
from tests.unit.docs.documents import example

from .conftest import MakeSystem


def test_a_responder_of_ones_own_answers(front: System) -> None:
    (front.directory / "opening_hours.py").write_text(example("class OpeningHours"))
    contact = front.contact()
    front.worker(AI_PROVIDER="opening_hours:responder")

    front.write("Vocês abrem no domingo?", sender=contact)
    front.settle()

    assert front.twilio.bodies_to(contact) == ["No domingo, das 9h às 13h."]


def test_actors_of_ones_own_run_beside_recados(front: System) -> None:
    (front.directory / "my_actors.py").write_text(example("def count_words"))
    contact = front.contact()
    started = front.worker("--module", "my_actors").event("worker started")
    assert {"count_words", "process_ai_response"} <= set(started["actors"])

    front.enqueue("reports", "count_words", "um dois três")
    front.write("Oi", sender=contact)
    front.settle()

    assert (front.directory / "words.txt").read_text() == "3"
    assert len(front.twilio.sent_to(contact)) == 1


@pytest.mark.parametrize("provider", ["nowhere:responder", "actors.ai:nobody"])
def test_a_responder_that_is_not_there_is_a_wrong_setting(make_system: MakeSystem, provider: str) -> None:
    ended = make_system(AI_PROVIDER=provider).run("worker")

    assert ended.returncode == 2
    assert f"AI_PROVIDER: {provider} cannot be imported" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_doctor_takes_a_responder_of_ones_own_for_what_it_is(make_system: MakeSystem) -> None:
    system = make_system(AI_PROVIDER="tests.e2e.responders:lethal")

    assert "ok   responder tests.e2e.responders:lethal" in system.run("doctor").stdout
