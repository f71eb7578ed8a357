"""What other parts of Recado wrote in English is shown in the reader's language."""

from __future__ import annotations

import pytest

from actors import limits, people
from actors.channels.twilio.errors import explained
from actors.conversations import search
from api.dashboard.language.languages import LANGUAGES, use
from api.dashboard.language.stored import translated, translated_parts

ERRORS = "https://www.twilio.com/docs/api/errors"


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("delivered", "entregue"),
        (people.TAKEN_OVER.format(by="Ana, taken over by Rui"), "assumida por Ana, taken over by Rui"),
        (
            limits.TOO_FAST.format(seconds=2),
            "o contato responde em menos de 2 s, repetidamente: pode ser um programa",
        ),
        (explained("30003"), f"Erro 30003 da Twilio: o telefone está fora de alcance, veja {ERRORS}/30003"),
        (explained("1"), f"Erro 1 da Twilio, veja {ERRORS}/1"),
        (
            search.NOT_YET_ALL.format(count=1_200),
            "Até 1.200 dos textos mais recentes ainda não entraram na busca: estão sendo indexados.",
        ),
        (
            people.NOTHING_TO_DECIDE.format(words="is being sent"),
            "Não há nada a decidir sobre esta resposta: sendo enviada.",
        ),
        ("The customer is angry {really}", "The customer is angry {really}"),  # a responder's own words
        ("", ""),
    ],
)
def test_a_text_is_translated_with_what_stands_in_it(text: str, translation: str) -> None:
    assert translated(text) == text
    with use(LANGUAGES["pt-BR"]):
        assert translated(text) == translation


def test_a_word_of_two_meanings_has_a_context() -> None:
    with use(LANGUAGES["pt-BR"]):
        assert translated("ready") == "na fila"
        assert translated("ready", "process") == "pronto"
        assert translated("unheard of", "process") == "unheard of"


def test_a_list_is_translated_part_by_part_and_names_are_not() -> None:
    with use(LANGUAGES["pt-BR"]):
        shown = translated_parts("all, queue messages, actor delivered, reason max deliveries, by time")
    assert shown == "todas, fila messages, ator delivered, motivo: máximo de entregas, por data"
