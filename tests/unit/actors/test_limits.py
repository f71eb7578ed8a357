"""What a contact gets from the assistant has an end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors import limits
from actors.answer import Answer, Usage
from actors.conversations import Hold, Turn, Utterance
from tests.support.conversations import CONVERSATION

from .conftest import World
from .test_actors import sent, write

HOLD = Hold(CONVERSATION, 1)


def mode(world: World) -> tuple[str, str | None]:
    [summary] = world.conversations.reader.conversations()
    return summary.mode, summary.mode_reason


def test_no_more_replies_in_an_hour_than_the_shop_means_to_give(make_world: Callable[..., World]) -> None:
    world = make_world(contact_replies_per_hour=3, ai_history_messages=4)
    for number in range(5):
        write(world, f"Pergunta {number}")
        sent(world)

    assert len(world.responder.asked) == 3
    assert len(world.sender.sent) == 3
    assert mode(world) == ("person", "the contact got 3 replies within an hour")


def test_no_more_tokens_in_a_day(make_world: Callable[..., World]) -> None:
    world = make_world(contact_tokens_per_day=100)
    world.responder.answer = Answer("Sim", Usage("a-model", 50, 5))
    for number in range(4):
        write(world, f"Pergunta {number}")

    assert len(world.responder.asked) == 2
    assert mode(world) == ("person", "the contact's answers cost 110 tokens within a day")


def test_the_same_text_again_and_again(make_world: Callable[..., World]) -> None:
    world = make_world(contact_same_text_limit=2)
    for _ in range(5):
        write(world, "Não entendi. Pode repetir?")

    assert len(world.responder.asked) == 2
    assert mode(world) == ("person", "the contact sent the same text more than 2 times in a row")


def turn(*lines: tuple[str, str, int]) -> Turn:
    said = [Utterance(author, text, at_ms, "id", None) for author, text, at_ms in lines]  # type: ignore[arg-type]
    return Turn("twilio", said[:-1], said[-1:], {})


@pytest.mark.parametrize(("pause_ms", "is_stopped"), [(500, True), (5_000, False)])
def test_answers_faster_than_people_type(world: World, pause_ms: int, is_stopped: bool) -> None:
    lines, at_ms = [("contact", "Oi", 1_000)], 1_000
    for number in range(limits.FAST_ANSWERS + 1):
        lines.append(("us", f"Resposta {number}", at_ms + 1_000))
        at_ms += 1_000 + pause_ms
        lines.append(("contact", f"Texto {number}", at_ms))

    why = limits.over_a_limit(HOLD, turn(*lines))

    assert (why is not None) == is_stopped
    assert why is None or "program" in why


def test_a_few_fast_answers_are_a_person_who_was_just_typing(world: World) -> None:
    lines = [("contact", "Oi", 1), ("us", "Olá", 1_000), ("contact", "Tem vaga?", 1_500)]
    assert limits.over_a_limit(HOLD, turn(*lines)) is None


@pytest.mark.parametrize("address", ["whatsapp:+5511900001234", "+5511900001234"])
def test_a_blocked_contact_is_recorded_and_never_answered(
    make_world: Callable[..., World], address: str
) -> None:
    world = make_world(blocked_addresses=f"+5511999999999, {address}")
    write(world, "Oi")

    assert world.responder.asked == []
    assert sent(world) == []
    assert [entry.text for entry in world.conversations.reader.thread(CONVERSATION) if entry.text] == ["Oi"]


@pytest.mark.parametrize("word", ["HELP", "ATENDENTE", "PARAR"])
def test_a_blocked_contact_is_told_nothing_whatever_it_writes(
    make_world: Callable[..., World], word: str
) -> None:
    world = make_world(blocked_addresses="+5511900001234")
    write(world, word)

    assert sent(world) == []
    assert mode(world)[0] == ("nobody" if word == "PARAR" else "assistant")


def test_others_are_answered(make_world: Callable[..., World]) -> None:
    world = make_world(blocked_addresses="+5511999999999")
    write(world, "Oi")
    assert world.responder.asked == [["Oi"]]
