"""Addresses with an assistant of their own: their texts, their responder, their hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from actors.answer import Answer
from actors.keys import closed_notice_id
from actors.profiles import OpeningHours, Profile, Profiles
from actors.profiles.opening import read_openings
from actors.profiles.opening_hours import ClosedMode
from actors.replies import apologise, process_ai_response
from ops.foundation.settings import Settings
from tests.support.conversations import ADDRESS, CONVERSATION, inbound

from .conftest import ScriptedResponder, World
from .test_actors import sent, write
from .test_people import through

ZONE = ZoneInfo("America/Sao_Paulo")

MakeWorld = Callable[..., World]


def profile(
    hours: OpeningHours | None = None, *, addresses: tuple[str, ...] = (ADDRESS,), **settings: Any
) -> Profile:
    return Profile("clinic", Settings(_env_file=None, **settings), addresses, language="pt-BR", hours=hours)


def with_profile(make_world: MakeWorld, of: Profile, **settings: object) -> tuple[World, ScriptedResponder]:
    """The surroundings in which our address has a profile, and the responder of that."""
    responder = ScriptedResponder()
    return make_world(profiles=Profiles([of]), responders={of.name: responder}, **settings), responder


def opening_hours(*entries: str, mode: ClosedMode = "text") -> OpeningHours:
    openings = tuple(opening for entry in entries for opening in read_openings(entry))
    return OpeningHours(ZONE, openings, closed_mode=mode, closed_text="Abrimos às 9h.")


class Clock:
    """What the actors take for the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at_ms = 0
        for module in ("replies", "closed_hours"):
            monkeypatch.setattr(f"actors.{module}.now_ms", lambda: self.at_ms)

    def show(self, text: str) -> int:
        """Set it to a time in São Paulo."""
        self.at_ms = int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)
        return self.at_ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


# -- its responder and its texts -----------------------------------------------------------------------


def test_its_responder_answers_in_its_language(make_world: MakeWorld) -> None:
    world, responder = with_profile(make_world, profile())

    write(world, "Oi")

    assert responder.asked == [["Oi"]]
    assert world.responder.asked == []
    assert responder.conversations[0].language == "pt-BR"


def test_an_address_in_no_profile_is_answered_as_the_settings_say(make_world: MakeWorld) -> None:
    world, responder = with_profile(make_world, profile(addresses=("+5511900009999",)))

    write(world, "Oi")

    assert responder.asked == []
    assert world.responder.asked == [["Oi"]]
    assert world.responder.conversations[0].language is None


def test_a_messaging_service_has_a_profile(make_world: MakeWorld) -> None:
    service = "MG" + "a" * 32
    world, responder = with_profile(make_world, profile(addresses=(service,)))

    write(world, "Oi")
    process_ai_response({**inbound("Alô?").payload, "MessagingServiceSid": service})

    assert world.responder.asked == [["Oi"]]
    assert responder.asked == [["Alô?"]]


@pytest.mark.parametrize(
    ("word", "key"), [("PARAR", "opt_out_text"), ("AJUDA", "help_text"), ("atendente", "hand_over_text")]
)
def test_keywords_are_answered_by_its_texts(make_world: MakeWorld, word: str, key: str) -> None:
    texts: dict[str, Any] = {key: "Da clínica"}
    world, _ = with_profile(make_world, profile(**texts))

    write(world, word)

    through(world)
    assert sent(world) == ["Da clínica"]


def test_its_fallback_text(make_world: MakeWorld) -> None:
    world, _ = with_profile(make_world, profile(reply_fallback_text="A clínica pede desculpas."))
    payload = dict(inbound("Oi").payload)

    apologise({"args": [payload], "kwargs": {}, "message_timestamp": 1, "message_id": "m"}, {})

    through(world)
    assert sent(world) == ["A clínica pede desculpas."]


# -- its hours -----------------------------------------------------------------------------------------


def test_closed_the_contact_is_told_once_and_open_the_assistant_answers(
    make_world: MakeWorld, clock: Clock
) -> None:
    world, responder = with_profile(make_world, profile(opening_hours("mon-fri 09:00-18:00")))

    clock.show("2026-11-30 18:00")
    write(world, "Oi")
    clock.show("2026-12-01 03:00")
    write(world, "Alguém?")
    through(world)
    assert (sent(world), responder.asked) == (["Abrimos às 9h."], [])

    clock.show("2026-12-01 09:00")
    write(world, "Bom dia")
    through(world)
    assert sent(world) == ["Abrimos às 9h.", "answer to Bom dia"]
    said = [message.text for message in responder.conversations[0].history]
    assert said == ["Oi", "Abrimos às 9h.", "Alguém?"], "the assistant knows what was said"

    clock.show("2026-12-01 18:30")
    write(world, "Boa noite")
    through(world)
    assert sent(world)[2:] == ["Abrimos às 9h."], "another closed period"


def test_what_is_answered_by_the_text_is_a_notice_and_no_longer_unanswered(
    make_world: MakeWorld, clock: Clock
) -> None:
    world, _ = with_profile(make_world, profile(opening_hours("mon-fri 09:00-18:00")))
    since = clock.show("2026-11-30 18:00")

    write(world, "Oi")

    reply = world.conversations.reply(closed_notice_id(CONVERSATION, closed_since=since))
    assert reply is not None
    assert (reply.kind, reply.body) == ("notice", "Abrimos às 9h.")
    assert world.conversations.unanswered(CONVERSATION) == []


def test_a_burst_gets_one_text_after_all_of_it(make_world: MakeWorld, clock: Clock) -> None:
    world, _ = with_profile(make_world, profile(opening_hours("mon-fri 09:00-18:00")))
    since = clock.show("2026-11-30 20:00")
    for number, text in enumerate(("Oi", "Tudo bem?")):
        world.conversations.append(inbound(text), received_at=since + number)
    clock.at_ms += 2

    write(world, "Alô?")

    thread = world.conversations.reader.thread(CONVERSATION)
    assert [entry.text for entry in thread if entry.text] == ["Oi", "Tudo bem?", "Alô?", "Abrimos às 9h."]
    assert world.conversations.unanswered(CONVERSATION) == []


def test_run_again_after_a_crash_it_is_told_once(
    make_world: MakeWorld, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = with_profile(make_world, profile(opening_hours("mon-fri 09:00-18:00")))
    clock.show("2026-11-30 20:00")
    with monkeypatch.context() as crash:
        crash.setattr("actors.answering.enqueue_sending", lambda _: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            write(world, "Oi")

    process_ai_response(dict(inbound("Alô?").payload))

    through(world)
    assert sent(world) == ["Abrimos às 9h."]


def test_what_came_in_before_it_closed_is_the_assistants(make_world: MakeWorld, clock: Clock) -> None:
    world, responder = with_profile(make_world, profile(opening_hours("mon-fri 09:00-18:00")))
    before = clock.show("2026-11-30 17:59")
    message = inbound("Oi")
    world.conversations.append(message, received_at=before)

    clock.show("2026-11-30 18:01")
    process_ai_response(dict(message.payload))

    assert responder.asked == [["Oi"]]


def test_a_burst_that_began_before_it_closed_is_the_assistants(make_world: MakeWorld, clock: Clock) -> None:
    world, responder = with_profile(make_world, profile(opening_hours("mon-fri 09:00-18:00")))
    before = clock.show("2026-11-30 17:59")
    world.conversations.append(inbound("Oi"), received_at=before)

    clock.show("2026-11-30 18:01")
    write(world, "Alô?")

    assert responder.asked == [["Oi", "Alô?"]]


def test_the_assistant_may_answer_although_it_is_closed(make_world: MakeWorld, clock: Clock) -> None:
    hours = opening_hours("mon-fri 09:00-18:00", mode="assistant")
    world, responder = with_profile(make_world, profile(hours))
    clock.show("2026-11-30 20:00")

    write(world, "Oi")

    assert responder.asked == [["Oi"]]


def test_where_a_person_answers_nothing_is_said(make_world: MakeWorld, clock: Clock) -> None:
    world, responder = with_profile(make_world, profile(opening_hours("mon-fri 09:00-18:00")))
    clock.show("2026-11-30 10:00")
    responder.answer = Answer("Já chamo alguém.", hand_over="wants the manager")
    write(world, "O gerente, por favor")

    clock.show("2026-11-30 20:00")
    write(world, "E aí?")

    through(world)
    assert sent(world) == ["Já chamo alguém."]


def test_keywords_are_heeded_in_closed_hours(make_world: MakeWorld, clock: Clock) -> None:
    world, _ = with_profile(make_world, profile(opening_hours("mon-fri 09:00-18:00")))
    clock.show("2026-11-30 20:00")

    write(world, "PARAR")

    assert world.conversations.mode(CONVERSATION) == "nobody"
