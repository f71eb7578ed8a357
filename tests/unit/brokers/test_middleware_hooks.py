"""Which middleware hooks a broker calls: those that stand in its list at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Broker, Message, Middleware, Worker
from dramatiq.middleware import TimeLimitExceeded
from dramatiq.results import Results

from brokers import SQLiteBroker, SQLiteResultBackend
from brokers.durable import DurableBroker
from brokers.middleware import TimeLimit


@dataclass
class Recorder(Middleware):
    """Notes what is enqueued. Two that noted the same compare equal."""

    seen: list[str] = field(default_factory=list)

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        self.seen.append(message.actor_name)


class Silent(Middleware):
    """Has no hooks of its own."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SQLiteBroker]:
    with closing(SQLiteBroker(tmp_path / "queue.db", middleware=[Silent(), Recorder()])) as broker:
        dramatiq.actor(broker=broker, actor_name="work")(print)
        broker.get_actor("work").send()  # the hooks were in use before the change
        yield broker


def assigned(broker: DurableBroker, recorder: Recorder) -> None:
    broker.middleware = [Silent(), recorder]


def replaced(broker: DurableBroker, recorder: Recorder) -> None:
    broker.middleware[1] = recorder


def put_before_another(broker: DurableBroker, recorder: Recorder) -> None:
    broker.middleware[:] = [recorder, Silent()]


@pytest.mark.parametrize("change", [assigned, replaced, put_before_another])
def test_what_stands_in_the_list_counts(
    broker: SQLiteBroker, change: Callable[[DurableBroker, Recorder], None]
) -> None:
    recorder = Recorder()
    former = broker.middleware[1]
    assert isinstance(former, Recorder)
    former.seen.clear()  # equal to the new one, and another
    change(broker, recorder)
    broker.get_actor("work").send()
    assert (recorder.seen, former.seen) == (["work"], [])


@pytest.mark.parametrize("where", ["instance", "class", "base class"])
@pytest.mark.parametrize("index", [0, 1])
def test_a_patched_hook_counts(
    broker: SQLiteBroker, monkeypatch: pytest.MonkeyPatch, where: str, index: int
) -> None:
    patched: list[Any] = []
    member = broker.middleware[index]
    target = {"instance": member, "class": type(member), "base class": Middleware}[where]
    monkeypatch.setattr(target, "after_enqueue", lambda *arguments: patched.append(arguments))
    broker.get_actor("work").send()
    assert len(patched) == (2 if where == "base class" else 1)


def test_results_that_join_late_are_stored(tmp_path: Path) -> None:
    """The list stays as long as it was, and the hooks were in use before."""
    with (
        closing(SQLiteBroker(tmp_path / "queue.db", middleware=[Silent(), Silent(), Silent()])) as broker,
        closing(SQLiteResultBackend(tmp_path / "results.db")) as results,
    ):
        actor = dramatiq.actor(broker=broker, actor_name="work", queue_name="default")(lambda: 42)
        actor.send()
        worker = Worker(broker, worker_timeout=50, worker_threads=1)
        broker.middleware = [Silent(), Silent(), Results(backend=results, store_results=True)]
        worker.start()
        try:
            assert actor.send().get_result(backend=results, block=True) == 42
        finally:
            worker.stop()


def test_a_time_limit_that_joins_late_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brokers.middleware.time_limit.CHECK_EVERY_S", 0.01)
    ended: list[type[BaseException]] = []

    def work() -> None:
        try:
            while True:
                pass
        except TimeLimitExceeded as error:
            ended.append(type(error))

    with closing(SQLiteBroker(tmp_path / "queue.db", middleware=[])) as broker:
        dramatiq.actor(broker=broker)(work).send()
        broker.middleware = [TimeLimit(time_limit=1)]
        worker = Worker(broker, worker_timeout=50, worker_threads=1)
        worker.start()
        try:
            broker.join("default", timeout=30_000)
        finally:
            worker.stop()
    assert ended == [TimeLimitExceeded]


def test_a_signal_may_be_emitted_without_a_worker(
    broker: SQLiteBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tests of middleware do it."""
    stopped: list[Any] = []
    monkeypatch.setattr(Silent, "before_worker_shutdown", lambda *arguments: stopped.append(arguments[-1]))
    broker.emit_before("worker_shutdown", None)
    assert stopped == [None]
