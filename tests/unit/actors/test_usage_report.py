"""What was used, by what people ask for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from actors.conversations.usage import ContactUsage, DayUsage, Sums
from actors.usage_report import By, UsageLine, report

SHOP, SALON = "whatsapp:+15005550006", "+15005550006"

CHEAP, DEAR = Sums(replies=1, input_tokens=9, model_cost=1), Sums(replies=1, input_tokens=1, model_cost=5)


class Counted:
    """Sums of two days."""

    def days(self, *, since: int, until: int) -> Sequence[DayUsage]:
        rows = [
            DayUsage(20_000, SHOP, "a", CHEAP),
            DayUsage(20_001, SALON, "a", CHEAP),
            DayUsage(20_001, SHOP, "b", DEAR),
        ]
        return [row for row in rows if since <= row.day <= until]

    def contacts(
        self,
        *,
        since: int,  # noqa: ARG002
        until: int,  # noqa: ARG002
        limit: int = 50,  # noqa: ARG002
        offset: int = 0,  # noqa: ARG002
    ) -> Sequence[ContactUsage]:
        return [ContactUsage(f"AC1|{SHOP}|whatsapp:+5511900001234", DEAR)]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("day", ["2024-10-05", "2024-10-04"]),
        ("number", [SHOP, SALON]),
        ("model", ["b", "a"]),
        ("contact", ["whatsapp:+5511900001234"]),
    ],
)
def test_a_report_is_in_the_order_in_which_people_read_it(by: By, names: list[str]) -> None:
    assert [line.name for line in report(Counted(), by, since=0, until=30_000, limit=9)] == names


def test_sums_are_put_together() -> None:
    [both] = report(Counted(), "model", since=0, until=30_000, limit=1, offset=1)
    assert both == UsageLine("a", Sums(replies=2, input_tokens=18, model_cost=2))


def test_a_cost_is_known_where_something_has_a_price() -> None:
    assert Sums().known_cost == 0
    assert Sums(unpriced=1).known_cost is None
    assert Sums(unpriced=1, channel_cost=5).known_cost == 5
