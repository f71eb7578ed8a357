"""What a worker sees to now and then, and what becomes of it when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from actors.chores import Chore, Chores, IsStopping
from brokers.errors import EngineError
from tests.support.waiting import eventually


class Work:
    """Something to do, that fails as often as it was told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.done = 0

    def __call__(self, _is_stopping: IsStopping) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.done += 1


def often(name: str, work: Callable[[IsStopping], object]) -> Chore:
    return Chore(name, every_s=0.005, first_s=0, do=work)


@pytest.fixture
def run() -> Iterator[Callable[..., Chores]]:
    """Starts the threads of a worker."""
    started: list[Chores] = []

    def start(*chores: Chore) -> Chores:
        started.append(Chores(*chores))
        started[-1].after_worker_boot(None, None)  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        each.before_worker_shutdown(None, None)  # type: ignore[arg-type]
    eventually(lambda: not any(t.name.startswith("recado-test") for t in threading.enumerate()))


def failed(name: str) -> float:
    return REGISTRY.get_sample_value("recado_chores_failed_total", {"chore": name}) or 0


def test_each_is_done_again_and_again(run: Callable[..., Chores]) -> None:
    first, second = Work(), Work()

    run(often("test-1", first), often("test-2", second))

    eventually(lambda: first.done >= 3 and second.done >= 3)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EngineError("away"), "a chore could not be done: it is tried again"),
        (PermissionError("not yours"), "a chore could not be done: it is tried again"),
        (KeyError("nobody thought of it"), "unexpected error in a chore: it is tried again"),
    ],
)
def test_whatever_fails_is_told_counted_and_tried_again(
    run: Callable[..., Chores], error: Exception, said: str
) -> None:
    work, before = Work(error, error), failed("test-failing")

    with capture_logs() as logs:
        run(often("test-failing", work))
        eventually(lambda: work.done)

    assert [(line["event"], line["chore"]) for line in logs] == [(said, "test-failing")] * 2
    assert failed("test-failing") == before + 2


def test_one_that_takes_long_keeps_no_other_one_waiting(run: Callable[..., Chores]) -> None:
    begun, other = threading.Event(), Work()

    def long(is_stopping: IsStopping) -> None:
        begun.set()
        is_stopping(600)

    run(often("test-long", long), often("test-other", other))

    assert begun.wait(10)
    count = other.done
    eventually(lambda: other.done > count)


def test_a_stop_ends_the_one_that_asks(run: Callable[..., Chores]) -> None:
    stopped = threading.Event()

    def long(is_stopping: IsStopping) -> None:
        if is_stopping(600):
            stopped.set()

    chores = run(often("test-stopped", long))
    chores.before_worker_shutdown(None, None)  # type: ignore[arg-type]

    assert stopped.wait(10)
