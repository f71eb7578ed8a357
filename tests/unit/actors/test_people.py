"""A person answers in place of the assistant."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

import actors.people
from actors import people
from actors.answer import Answer
from actors.channels.twilio.rest import MAX_CHARACTERS
from actors.people import KeyTaken, OptedOutContact, UnknownConversation
from brokers.clock import now_ms
from brokers.errors import EngineError
from tests.support.conversations import CONVERSATION
from tests.support.waiting import eventually

from .conftest import World
from .test_actors import sent, write


def through(world: World) -> None:
    """Run all that is to be sent."""
    while any(each in {"send_reply", "say_by_hand"} for each in world.enqueued):
        world.run_next("replies")


def states(world: World) -> list[tuple[str, str | None]]:
    thread = world.conversations.reader.thread(CONVERSATION)
    return [(entry.text, entry.state) for entry in thread if entry.author == "us" and entry.text]


def test_the_model_is_silent_while_a_person_answers(world: World) -> None:
    write(world, "Oi")
    through(world)
    people.take_over(CONVERSATION, by="Ana")
    write(world, "Tem vaga?")

    people.say(CONVERSATION, "Tem sim!", by="Ana")
    through(world)

    assert world.responder.asked == [["Oi"]]
    assert sent(world) == ["answer to Oi", "Tem sim!"]
    [summary] = world.conversations.reader.conversations()
    assert (summary.mode, summary.mode_reason) == ("person", "taken over by Ana")


def test_the_model_sees_what_was_said_meanwhile(world: World) -> None:
    write(world, "Oi")
    through(world)
    people.take_over(CONVERSATION, by="Ana")
    write(world, "Tem vaga?")
    people.say(CONVERSATION, "Tem sim!", by="Ana")
    through(world)
    people.hand_back(CONVERSATION, by="Ana")

    write(world, "Obrigado")

    assert world.responder.asked == [["Oi"], ["Obrigado"]]
    history = [message.text for message in world.responder.conversations[-1].history]
    assert history == ["Oi", "answer to Oi", "Tem vaga?", "Tem sim!"]


def test_what_the_assistant_had_not_sent_yet_is_withheld(world: World) -> None:
    write(world, "Oi")
    people.take_over(CONVERSATION, by="Ana")
    people.say(CONVERSATION, "Aqui é a Ana", by="Ana")
    through(world)

    assert sent(world) == ["Aqui é a Ana"]
    assert states(world) == [("answer to Oi", "cancelled"), ("Aqui é a Ana", "sent")]


def test_a_contact_asks_for_a_person(world: World) -> None:
    write(world, "atendente")
    through(world)
    write(world, "Alguém?")

    assert sent(world) == [world.services.settings.hand_over_text]
    assert world.responder.asked == []
    [summary] = world.conversations.reader.conversations(mode="person")
    assert summary.mode_reason == "the contact asked for a person"


@pytest.mark.parametrize(
    ("word", "mode", "notice"),
    [("PARAR", "nobody", "opt_out_text"), ("atendente", "person", "hand_over_text")],
)
def test_a_word_that_comes_while_an_answer_is_made_is_heeded_at_once(
    world: World, word: str, mode: str, notice: str
) -> None:
    def meanwhile() -> None:
        write(world, word)

    world.responder.meanwhile = meanwhile
    write(world, "Oi")

    assert world.conversations.mode(CONVERSATION) == mode
    assert sent(world) == [getattr(world.services.settings, notice)]
    assert world.responder.asked == [["Oi"]]


def test_a_contact_who_opts_out_while_an_answer_hands_over_has_opted_out(world: World) -> None:
    def meanwhile() -> None:
        write(world, "SAIR")

    world.responder.meanwhile = meanwhile
    world.responder.answer = Answer("Já chamo alguém.", hand_over="wants the manager")
    write(world, "Quero o gerente")

    assert world.conversations.mode(CONVERSATION) == "nobody"
    assert sent(world) == [world.services.settings.opt_out_text]


def test_what_is_in_the_queue_is_said_although_the_store_was_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(world, "Oi")
    through(world)
    with monkeypatch.context() as away:

        def fail(*_: object, **__: object) -> None:
            raise EngineError("away")

        away.setattr(type(world.conversations), "write", fail)
        people.say(CONVERSATION, "Chegou!", by="Ana", key="order 7")
    through(world)

    assert sent(world) == ["answer to Oi", "Chegou!"]


def test_a_contact_who_opted_out_stays_so(world: World) -> None:
    write(world, "SAIR")
    write(world, "ATENDENTE")

    assert world.conversations.mode(CONVERSATION) == "nobody"
    with pytest.raises(OptedOutContact):
        people.take_over(CONVERSATION, by="Ana")
    with pytest.raises(OptedOutContact):
        people.say(CONVERSATION, "Oi", by="Ana")


def test_a_responder_hands_over_and_what_it_says_is_sent(world: World) -> None:
    world.responder.answer = Answer(["Um momento.", "Já chamo alguém."], hand_over="wants the manager")
    write(world, "Quero o gerente")
    through(world)
    write(world, "E aí?")

    assert sent(world) == ["Um momento.", "Já chamo alguém."]
    assert world.responder.asked == [["Quero o gerente"]]
    [summary] = world.conversations.reader.conversations(mode="person")
    assert summary.mode_reason == "wants the manager"


def test_the_assistant_answers_again_after_hours_without_a_person(world: World) -> None:
    write(world, "Oi")
    people.take_over(CONVERSATION, by="Ana")
    world.services.settings.__dict__["hand_back_after_hours"] = 1e-9
    taken_over_at = now_ms()
    eventually(lambda: now_ms() > taken_over_at)
    write(world, "Ainda está aí?")

    assert world.responder.asked == [["Oi"], ["Ainda está aí?"]]
    assert world.conversations.mode(CONVERSATION) == "assistant"


def test_said_twice_under_one_key_it_is_sent_once(world: World) -> None:
    write(world, "Oi")
    through(world)

    ids = {people.say(CONVERSATION, "Chegou!", by="Ana", key="order 7") for _ in range(2)}
    through(world)
    ids.add(people.say(CONVERSATION, "Chegou!", by="Ana", key="order 7"))
    through(world)

    assert len(ids) == 1
    assert sent(world) == ["answer to Oi", "Chegou!"]


def test_a_crash_after_the_text_was_written_sends_it_once(world: World) -> None:
    write(world, "Oi")
    through(world)
    people.say(CONVERSATION, "Chegou!", by="Ana", takes_over=True)

    world.run_next("replies")
    world.forget_enqueued()
    actors.people.say_by_hand.fn(CONVERSATION, reply_of_ana(world), "Chegou!", "Ana", True)
    through(world)

    assert sent(world) == ["answer to Oi", "Chegou!"]
    assert world.conversations.mode(CONVERSATION) == "person"


def reply_of_ana(world: World) -> str:
    [reply_id] = [
        entry.reply_id
        for entry in world.conversations.reader.thread(CONVERSATION)
        if entry.written_by == "Ana" and entry.reply_id is not None
    ]
    return reply_id


def test_a_long_text_goes_out_in_parts(world: World) -> None:
    write(world, "Oi")
    through(world)
    world.sender.max_characters = 22
    people.say(CONVERSATION, "Primeira frase aqui. Segunda frase ali.", by="Ana")
    through(world)

    assert sent(world)[1:] == ["Primeira frase aqui.", "Segunda frase ali."]


@pytest.mark.parametrize("text", ["", " \n", "x" * 100_000])
def test_a_text_that_cannot_be_sent_is_refused(world: World, text: str) -> None:
    write(world, "Oi")
    with pytest.raises(ValueError, match="text"):
        people.say(CONVERSATION, text, by="Ana")


def test_nobody_is_written_to_in_a_conversation_that_is_not_there(world: World) -> None:
    with pytest.raises(UnknownConversation):
        people.say("no|such|conversation", "Oi", by="Ana")


def test_whoever_is_needed_is_told_in_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    structlog.reset_defaults()
    # A logger that was used before keeps what it was made with.
    monkeypatch.setattr(people, "logger", structlog.get_logger(people.__name__))
    with capture_logs() as logs:
        write(world, "humano")
    [line] = [line for line in logs if line["event"].startswith("a person is needed")]
    assert line["why"] == "the contact asked for a person"


# -- the same key for another text -----------------------------------------------------------------------


@pytest.mark.parametrize("has_been_sent", [False, True], ids=["waiting", "sent"])
def test_another_text_under_the_same_key_is_refused(world: World, has_been_sent: bool) -> None:
    write(world, "Oi")
    through(world)
    first = people.say(CONVERSATION, "Às 15h", by="Ana", key="hora")
    if has_been_sent:
        through(world)

    with pytest.raises(KeyTaken, match="Another text"):
        people.say(CONVERSATION, "Às 16h", by="Ana", key="hora")
    again = people.say(CONVERSATION, "Às 15h", by="Ana", key="hora")
    through(world)

    assert again == first
    assert sent(world)[1:] == ["Às 15h"]


@pytest.mark.parametrize("longer_first", [True, False])
def test_a_text_that_begins_like_another_is_another(world: World, longer_first: bool) -> None:
    write(world, "Oi")
    through(world)
    part = "a" * MAX_CHARACTERS
    texts = [part + "b", part + "c"] if longer_first else [part, part[:-1]]
    people.say(CONVERSATION, texts[0], by="Ana", key="longo")

    with pytest.raises(KeyTaken):
        people.say(CONVERSATION, texts[1], by="Ana", key="longo")


def test_of_two_texts_said_at_once_the_one_that_lost_is_a_dead_letter(world: World) -> None:
    write(world, "Oi")
    through(world)
    reply_id = people.reply_id_of(CONVERSATION, "hora")
    # The other caller looked before this text was written, and enqueued after its message was done.
    people.say(CONVERSATION, "Às 15h", by="Ana", key="hora")
    through(world)

    with pytest.raises(KeyTaken):
        people.say_by_hand.fn(CONVERSATION, reply_id, "Às 16h", "Bia", False)

    assert people.say_by_hand.options["throws"] is KeyTaken, "no retry would do"
    assert sent(world)[1:] == ["Às 15h"]


def test_of_two_texts_said_at_once_the_one_that_was_written_first_is_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(world, "Oi")
    through(world)
    write_down = people._write_down

    def after_another(*arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(people, "_write_down", write_down)
        people.say(CONVERSATION, "Às 16h", by="Bia", key="hora")
        write_down(*arguments, **more)

    monkeypatch.setattr(people, "_write_down", after_another)
    with pytest.raises(KeyTaken):
        people.say(CONVERSATION, "Às 15h", by="Ana", key="hora")
    with pytest.raises(KeyTaken):  # its message is run first, and is a dead letter
        through(world)
    through(world)

    assert sent(world)[1:] == ["Às 16h"]


def test_a_text_whose_writer_died_between_two_parts_is_made_whole(world: World) -> None:
    write(world, "Oi")
    through(world)
    first, second = "a" * MAX_CHARACTERS, "b"
    reply_id = people.reply_id_of(CONVERSATION, "longo")
    world.conversations.write(CONVERSATION, reply_id, first, kind="person", written_by="Ana")

    assert people.say(CONVERSATION, first + second, by="Ana", key="longo") == reply_id
    through(world)

    assert sent(world)[1:] == [first, second]


def test_half_of_a_surrogate_pair_cannot_be_said(world: World) -> None:
    write(world, "Oi")

    with pytest.raises(ValueError, match="surrogate"):
        people.say(CONVERSATION, "Oi \ud800", by="Ana")
