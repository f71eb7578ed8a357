"""When a worker sees to what is old."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from actors import housekeeping
from actors.conversations import Deleted
from actors.housekeeping import Housekeeping, keep_house
from brokers.errors import EngineError
from tests.support.waiting import eventually


class Keeper:
    """A keeper that has something to delete, and remembers what it was asked."""

    def __init__(self, *steps: Deleted, may_begin: bool = True) -> None:
        self.steps = steps
        self.may_begin = may_begin
        self.asked: list[int] = []
        self.done = 0
        self.error: Exception | None = None

    def begin_housekeeping(self, *, every_ms: int) -> bool:
        self.asked.append(every_ms)
        if self.error is not None:
            raise self.error
        return self.may_begin

    def delete_old(self) -> Iterator[Deleted]:
        for step in self.steps:
            self.done += 1
            yield step


def go_on(_pause_s: float) -> bool:
    return False


def kept_house(keeper: Keeper, is_stopping: Callable[[float], bool] = go_on) -> Deleted | None:
    return keep_house(keeper, is_stopping=is_stopping)  # type: ignore[arg-type]


def counted(what: str) -> float:
    return REGISTRY.get_sample_value("recado_retention_deleted_total", {"what": what}) or 0


def test_what_was_deleted_is_counted_and_logged_once() -> None:
    keeper = Keeper(
        Deleted(messages=200), Deleted(messages=7), Deleted(replies=150), Deleted(conversations=3)
    )
    before = counted("messages")

    with capture_logs() as logs:
        assert kept_house(keeper) == Deleted(3, 207, 150)

    assert [line for line in logs if "old conversations deleted" in line["event"]] == [
        {
            "event": "old conversations deleted: CONVERSATIONS_RETENTION_DAYS is over for them",
            "log_level": "info",
            "conversations": 3,
            "messages": 207,
            "replies": 150,
        }
    ]
    assert counted("messages") == before + 207


def test_nothing_is_logged_where_nothing_was_old() -> None:
    with capture_logs() as logs:
        assert kept_house(Keeper(Deleted())) == Deleted()

    assert logs == []


def test_one_process_does_it_in_an_hour() -> None:
    keeper = Keeper(Deleted(messages=1), may_begin=False)

    assert kept_house(keeper) is None

    assert (keeper.asked, keeper.done) == ([3_600_000], 0)


def test_a_process_that_ends_leaves_the_rest() -> None:
    keeper = Keeper(Deleted(messages=1), Deleted(messages=1))

    assert kept_house(keeper, lambda _: True) == Deleted(messages=1)

    assert keeper.done == 1


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Keeper], None]]:
    """Starts the thread of a worker, as one that looks without a pause."""
    monkeypatch.setattr(housekeeping, "FIRST_S", 0.0)
    monkeypatch.setattr(housekeeping, "EVERY_S", 0.01)
    started: list[Housekeeping] = []

    def start(keeper: Keeper) -> None:
        services: Any = SimpleNamespace(conversations=SimpleNamespace(keeper=keeper))
        started.append(Housekeeping(lambda: services))
        started[-1].after_worker_boot(None, None)  # type: ignore[arg-type]

    yield start
    for each in started:
        each.before_worker_shutdown(None, None)  # type: ignore[arg-type]
    eventually(lambda: not any(t.name == "recado-housekeeping" for t in threading.enumerate()))


def test_a_worker_looks_again_and_again(run: Callable[[Keeper], None]) -> None:
    keeper = Keeper(Deleted())

    run(keeper)

    eventually(lambda: keeper.done >= 3)


def test_a_store_that_is_away_is_tried_again(run: Callable[[Keeper], None]) -> None:
    keeper = Keeper(Deleted())
    keeper.error = EngineError("away")
    with capture_logs() as logs:
        run(keeper)
        eventually(lambda: len(keeper.asked) >= 2)
        keeper.error = None
        eventually(lambda: keeper.done)

    assert {line["event"] for line in logs} == {
        "old conversations could not be deleted: the next try is in an hour"
    }
