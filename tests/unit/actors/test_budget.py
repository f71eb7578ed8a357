"""All contacts together get no more from the assistant in a day than its budget has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import structlog
from prometheus_client.metrics_core import Metric

from actors import people
from actors.answer import Answer, Usage
from actors.budget import OVER_BUDGET, BudgetCollector, used_share
from actors.conversations.usage import DAY_MS
from actors.limits import is_budget_used_up
from actors.notices.receiver import receivers_of
from brokers.clock import now_ms
from ops.foundation.settings import Settings
from tests.fakes.receiver import FakeReceiver
from tests.support.conversations import CONVERSATION

from .conftest import World
from .test_actors import sent, write
from .test_noting import noted

#: Nothing but a new day hands a conversation back.
PRICED = {
    "hand_back_after_hours": None,
    "ai_prices": {"a-model": {"input": 1_000.0, "output": 0.0}},
    "budget_per_day": 1.0,
}

MakeWorld = Callable[..., World]


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets a day go by."""
    days = 0

    def later() -> int:
        return now_ms() + days * DAY_MS

    for module in ("limits", "people", "replies"):
        monkeypatch.setattr(f"actors.{module}.now_ms", later)

    def go_on() -> None:
        nonlocal days
        days += 1

    return go_on


def priced(make_world: MakeWorld, *, tokens: int, **settings: object) -> World:
    """Surroundings in which each answer takes so many of the budget's thousand tokens."""
    world = make_world(**{**PRICED, **settings})
    world.responder.answer = Answer("Sim", Usage("a-model", tokens, 0))
    return world


def mode(world: World) -> tuple[str, str | None]:
    [summary] = world.conversations.reader.conversations()
    return summary.mode, summary.mode_reason


def test_when_the_budget_is_used_up_a_person_answers(make_world: MakeWorld) -> None:
    world = priced(make_world, tokens=600)
    for number in range(4):
        write(world, f"Pergunta {number}")
        sent(world)

    assert len(world.responder.asked) == 2
    assert len(world.sender.sent) == 2
    assert mode(world) == ("person", OVER_BUDGET)


def test_a_budget_of_tokens_needs_no_price(make_world: MakeWorld) -> None:
    world = make_world(budget_tokens_per_day=100)
    world.responder.answer = Answer("Sim", Usage("a-model", 60, 0))
    for number in range(4):
        write(world, f"Pergunta {number}")

    assert len(world.responder.asked) == 2
    assert mode(world) == ("person", OVER_BUDGET)


def test_without_a_budget_there_is_no_limit(make_world: MakeWorld) -> None:
    world = priced(make_world, tokens=5_000, budget_per_day=None)
    for number in range(3):
        write(world, f"Pergunta {number}")

    assert len(world.responder.asked) == 3
    assert used_share(world.conversations.usage, world.services.settings, at_ms=now_ms()) is None


def test_segments_count_towards_the_budget(make_world: MakeWorld) -> None:
    world = make_world(segment_prices={"whatsapp": 0.6}, budget_per_day=1.0)
    for number in range(4):
        write(world, f"Pergunta {number}")
        sent(world)

    assert len(world.responder.asked) == 2


def test_on_the_next_day_the_assistant_answers_again(
    make_world: MakeWorld, tomorrow: Callable[[], None]
) -> None:
    world = priced(make_world, tokens=1_000)
    write(world, "Um")
    write(world, "Dois")
    assert mode(world)[0] == "person"
    write(world, "Três")
    assert mode(world)[0] == "person", "it is still today"

    tomorrow()
    write(world, "Bom dia")

    assert world.responder.asked == [["Um"], ["Bom dia"]]
    assert mode(world)[0] == "assistant"


@pytest.mark.parametrize("by_hand", ["writes", "takes over"])
def test_where_a_person_took_part_the_person_goes_on(
    make_world: MakeWorld, tomorrow: Callable[[], None], by_hand: str
) -> None:
    world = priced(make_world, tokens=1_000)
    write(world, "Um")
    write(world, "Dois")
    if by_hand == "writes":
        people.say(CONVERSATION, "Oi, sou a Ana.", by="Ana")
    else:
        people.take_over(CONVERSATION, by="Ana")

    tomorrow()
    write(world, "Bom dia")

    assert world.responder.asked == [["Um"]]
    assert mode(world) == ("person", "taken over by Ana")


def test_what_a_limit_handed_over_is_not_handed_back_with_a_new_budget(
    make_world: MakeWorld, tomorrow: Callable[[], None]
) -> None:
    world = priced(make_world, tokens=1, contact_same_text_limit=1)
    for _ in range(3):
        write(world, "Oi")
    assert mode(world)[0] == "person"

    tomorrow()
    write(world, "Olá")

    assert mode(world)[0] == "person"


# -- telling people ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


def test_people_are_told_once_at_the_share_and_once_at_the_end(
    make_world: MakeWorld, server: FakeReceiver
) -> None:
    world = priced(
        make_world,
        tokens=450,
        receivers=receivers_of(Settings(_env_file=None, notify_urls=server.url)),
        public_base_url="https://recado.example.com",
    )
    with structlog.testing.capture_logs() as logs:
        for number in range(5):
            write(world, f"Pergunta {number}")

    told = [event for event in noted(world) if event.content["event"].startswith("budget")]
    assert [event.content for event in told] == [
        {
            "event": name,
            "why": why,
            "link": "https://recado.example.com/dashboard/usage",
        }
        for name, why in (("budget_nearly_used", "90% is used"), ("budget_used_up", "135% is used"))
    ]
    assert [event.event_id for event in told] == [
        f"{name}-{now_ms() // DAY_MS}" for name in ("budget_nearly_used", "budget_used_up")
    ]
    said = [line["event"] for line in logs if "budget" in line["event"]]
    assert said == [
        "the budget of the day is nearly used up",
        "the budget of the day is used up: a person answers until tomorrow",
    ]


def test_below_the_share_nothing_is_told(make_world: MakeWorld) -> None:
    world = priced(make_world, tokens=450, budget_warn_share=1.0)
    write(world, "Um")
    write(world, "Dois")

    assert not is_budget_used_up()
    assert world.services.told_today == set()


def test_the_share_is_a_metric(make_world: MakeWorld) -> None:
    world = priced(make_world, tokens=450)
    write(world, "Um")

    def shown(settings: Settings) -> list[Metric]:
        return list(BudgetCollector(world.conversations.usage, settings).collect())

    [metric] = shown(world.services.settings)
    assert [(sample.name, sample.value) for sample in metric.samples] == [("recado_budget_used_ratio", 0.45)]
    assert shown(Settings(_env_file=None)) == []
