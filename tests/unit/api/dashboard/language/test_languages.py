"""Which language a page is in, and how it writes numbers and times."""

from __future__ import annotations

from typing import get_args

import pytest

from api.dashboard.language.languages import ENGLISH, LANGUAGES, current, language_for, use
from api.dashboard.rendering import humanize
from ops.foundation.settings import Settings

PORTUGUESE = LANGUAGES["pt-BR"]


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("", "en"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"),
        ("en-US,en;q=0.9,pt;q=0.8", "en"),
        ("PT-pt", "pt-BR"),
        ("de, fr;q=0.9, pt;q=0.3, en;q=0.2", "pt-BR"),
        ("en;q=0.2, pt;q=0.7", "pt-BR"),
        ("pt;q=0, en", "en"),
        ("pt;q=nonsense", "pt-BR"),
        ("ptolemaic", "en"),
        ("de", "en"),
        ("*", "en"),
        (";;;,=,q", "en"),
        ("x," * 1_000_000 + "pt", "en"),
    ],
)
def test_a_browser_says_which_language_it_wants(accepted: str, tag: str) -> None:
    assert language_for(cookie=None, setting="auto", accepted=accepted).tag == tag


@pytest.mark.parametrize(
    ("cookie", "setting", "accepted", "tag"),
    [
        (None, "pt-BR", "en", "pt-BR"),
        (None, "en", "pt-BR", "en"),
        ("pt-BR", "en", "en", "pt-BR"),
        ("en", "auto", "pt-BR", "en"),
        ("klingon", "auto", "pt-BR", "pt-BR"),
    ],
)
def test_what_was_picked_counts_most_and_the_browser_least(
    cookie: str | None, setting: str, accepted: str, tag: str
) -> None:
    assert language_for(cookie=cookie, setting=setting, accepted=accepted).tag == tag


def test_the_setting_takes_every_language() -> None:
    taken = get_args(Settings.model_fields["dashboard_language"].annotation)
    assert taken == ("auto", *LANGUAGES)


def test_a_language_is_used_inside_and_not_afterwards() -> None:
    with use(PORTUGUESE):
        assert current() is PORTUGUESE
    assert current() is ENGLISH


def test_numbers_and_times_are_written_as_the_language_does() -> None:
    def written() -> list[str]:
        return [
            humanize.number(1_234_567),
            humanize.money(1_234_500_000, "USD"),
            humanize.amount(10),
            humanize.quantity(2_000, "message"),
            humanize.quantity(1, "reply"),
            humanize.utc(1_700_000_000_000),
            humanize.day("2026-11-28"),
            humanize.relative_time(0, 200_000_000),
            humanize.relative_time(90_000, 0),
        ]

    assert written() == [
        "1,234,567",
        "1,234.50 USD",
        "<0.0001",
        "2,000 messages",
        "1 reply",
        "2023-11-14 22:13:20 UTC",
        "2026-11-28",
        "2 days ago",
        "in 2 min",
    ]
    with use(PORTUGUESE):
        assert written() == [
            "1.234.567",
            "1.234,50 USD",
            "<0,0001",
            "2.000 mensagens",
            "1 resposta",
            "14/11/2023 22:13:20 UTC",
            "28/11/2026",
            "há 2 dias",
            "em 2 min",
        ]
