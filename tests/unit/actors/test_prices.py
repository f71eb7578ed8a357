"""What tokens and segments cost."""

from __future__ import annotations

import pytest

from actors.answer import Usage
from actors.prices import Prices
from ops.foundation.settings import ModelPrice

PRICES = Prices(
    {
        "gpt-5": ModelPrice(input=1.25, output=10),
        "gpt-5-mini": ModelPrice(input=0.25, output=2),
        "free": ModelPrice(input=0, output=0),
    },
    {"whatsapp": 0.005, "sms": 0.0083},
)


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("gpt-5", 1_250 + 1_000),
        ("gpt-5-2025-08-07", 1_250 + 1_000),
        ("gpt-5-mini", 250 + 200),
        ("gpt-5-mini-2025-08-07", 250 + 200),
        ("gpt-5-mini-latest", 250 + 200),
        ("gpt-5-nano", None),
        ("gpt-5.1", None),
        ("free", 0),
        ("another", None),
    ],
)
def test_a_model_has_the_price_that_is_listed_for_it_or_for_all_its_versions(
    model: str, cost: int | None
) -> None:
    assert PRICES.of_tokens(Usage(model, 1_000, 100)) == cost


def test_tokens_that_are_not_told_have_no_cost() -> None:
    assert PRICES.of_tokens(Usage("gpt-5")) is None
    assert PRICES.of_tokens(Usage("gpt-5", 10)) is None


def test_segments_have_the_price_of_the_channel() -> None:
    assert PRICES.of_segments("whatsapp:+15005550006", 2) == 10_000
    assert PRICES.of_segments("+15005550006", 3) == 24_900
    assert PRICES.of_segments("rcs:shop", 3) == 0
