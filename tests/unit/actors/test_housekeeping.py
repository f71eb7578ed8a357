"""When a worker sees to what is old."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from actors.conversations import Deleted
from actors.housekeeping import keep_house


class Keeper:
    """A keeper that has something to delete, and remembers what it was asked."""

    def __init__(self, *steps: Deleted, may_begin: bool = True) -> None:
        self.steps = steps
        self.may_begin = may_begin
        self.asked: list[int] = []
        self.done = 0

    def begin_housekeeping(self, *, every_ms: int) -> bool:
        self.asked.append(every_ms)
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
