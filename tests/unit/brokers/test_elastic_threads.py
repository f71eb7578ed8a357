"""Queues whose messages wait for another party have threads that come and go."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Worker
from dramatiq.middleware import TimeLimitExceeded, raise_thread_exception

import brokers.elastic_threads
from brokers import SQLiteBroker
from brokers.elastic_threads import ElasticThreads, _Thread, waiting
from brokers.middleware import default_middleware
from tests.conformance.conftest import declare
from tests.support.waiting import eventually

ANSWERS, SENDS, OWN = "answers", "sends", "own"
THREADS = 2


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SQLiteBroker]:
    elastic = ElasticThreads({ANSWERS: lambda: 20, SENDS: lambda: 3})
    with closing(SQLiteBroker(tmp_path / "queue.db", middleware=[*default_middleware(), elastic])) as broker:
        yield broker


@contextmanager
def working(broker: SQLiteBroker, **options: Any) -> Iterator[Worker]:
    worker = Worker(broker, worker_threads=THREADS, worker_timeout=50, **options)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


class Model:
    """Another party: it answers when it is told to.

    Attributes:
      calls: how many wait for its answer.
      most: how many ever did, at a time.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._answers = threading.Event()
        self.calls = self.most = 0

    def ask(self) -> None:
        with self._changing:
            self.calls += 1
            self.most = max(self.most, self.calls)
        assert self._answers.wait(30)
        with self._changing:
            self.calls -= 1

    def ask_waiting(self) -> None:
        with waiting():
            self.ask()

    def answer(self) -> None:
        self._answers.set()


@pytest.fixture
def model() -> Iterator[Model]:
    model = Model()
    yield model
    model.answer()


def send(broker: SQLiteBroker, actor: Any, count: int) -> None:
    for _ in range(count):
        actor.send()


def test_as_many_wait_as_may_and_all_are_run(broker: SQLiteBroker, model: Model) -> None:
    actor = declare(broker, model.ask_waiting, queue_name=ANSWERS)
    send(broker, actor, 50)
    with working(broker):
        eventually(lambda: model.calls == 20)
        ready = broker.backend.stats()[0].ready
        model.answer()
        broker.join(ANSWERS, timeout=30_000)
    assert ready == 50 - 20, "the rest was for another process"
    assert model.most <= 20


def test_fewer_may_be_in_hand_than_the_worker_has_threads(tmp_path: Path, model: Model) -> None:
    elastic = ElasticThreads({ANSWERS: lambda: 1})
    with closing(SQLiteBroker(tmp_path / "queue.db", middleware=[*default_middleware(), elastic])) as broker:
        actor = declare(broker, model.ask_waiting, queue_name=ANSWERS)
        send(broker, actor, 10)
        with working(broker):
            eventually(lambda: model.calls == 1)
            model.answer()
            broker.join(ANSWERS, timeout=30_000)
    assert model.most == 1


def test_how_many_may_be_in_hand_can_change_meanwhile(tmp_path: Path, model: Model) -> None:
    most = 0
    elastic = ElasticThreads({ANSWERS: lambda: most})
    with closing(SQLiteBroker(tmp_path / "queue.db", middleware=[*default_middleware(), elastic])) as broker:
        actor = declare(broker, model.ask_waiting, queue_name=ANSWERS)
        send(broker, actor, 50)
        with working(broker):
            most = 7
            eventually(lambda: model.calls == 7)
            most = 30
            eventually(lambda: model.calls == 30)
            assert model.most == 30
            model.answer()
            broker.join(ANSWERS, timeout=30_000)


def test_what_does_not_wait_runs_in_as_many_threads_as_the_worker_has(
    broker: SQLiteBroker, model: Model
) -> None:
    actor = declare(broker, model.ask, queue_name=ANSWERS)
    send(broker, actor, 10)
    with working(broker):
        eventually(lambda: model.calls == THREADS)
        model.answer()
        broker.join(ANSWERS, timeout=30_000)
    assert model.most == THREADS


def test_messages_that_wait_keep_no_other_queue_waiting(broker: SQLiteBroker, model: Model) -> None:
    answers = declare(broker, model.ask_waiting, queue_name=ANSWERS, actor_name="answer")
    ran = threading.Event(), threading.Event()
    sends = declare(broker, ran[0].set, queue_name=SENDS, actor_name="send")
    own = declare(broker, ran[1].set, queue_name=OWN, actor_name="own")
    send(broker, answers, 50)
    with working(broker):
        eventually(lambda: model.calls == 20)
        sends.send()
        own.send()
        assert ran[0].wait(10)
        assert ran[1].wait(10)
        model.answer()


def test_a_queue_of_ones_own_keeps_these_free(broker: SQLiteBroker, model: Model) -> None:
    own = declare(broker, model.ask, queue_name=OWN, actor_name="own")
    ran = threading.Event()
    answer = declare(broker, ran.set, queue_name=ANSWERS, actor_name="answer")
    send(broker, own, 10)
    with working(broker):
        eventually(lambda: model.calls == THREADS)
        answer.send()
        assert ran.wait(10)
        model.answer()


def test_idle_threads_end(broker: SQLiteBroker, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers.elastic_threads, "IDLE_S", 0.1)
    actor = declare(broker, model.ask_waiting, queue_name=ANSWERS)
    with working(broker) as worker:
        assert len(worker.workers) == THREADS, "none is there before its first message"
        for _ in range(3):
            send(broker, actor, 8)
            model.answer()
            broker.join(ANSWERS, timeout=30_000)
            eventually(lambda: len(worker.workers) == THREADS)


def test_stopping_waits_for_what_runs_and_gives_the_rest_back(broker: SQLiteBroker, model: Model) -> None:
    actor = declare(broker, model.ask_waiting, queue_name=ANSWERS)
    send(broker, actor, 50)
    worker = Worker(broker, worker_threads=THREADS, worker_timeout=50)
    worker.start()
    eventually(lambda: model.calls == 20)
    stopping = threading.Thread(target=worker.stop, daemon=True)
    stopping.start()
    eventually(lambda: broker.backend.stats()[0].ready == 50 - 20)
    model.answer()
    stopping.join(30)
    assert not stopping.is_alive()
    eventually(lambda: broker.backend.stats()[0].running == 0)  # the last acks are written
    [stats] = broker.backend.stats()
    assert (stats.ready, stats.done) == (50 - 20, 20)


def test_stopping_gives_back_what_waits_for_a_thread(broker: SQLiteBroker, model: Model) -> None:
    """A quick actor has its worker claim more than it has threads."""
    ran: list[int] = []
    gate = threading.Event()

    def run(number: int) -> None:
        ran.append(number)
        if number >= 500:
            gate.wait(30)

    actor = declare(broker, run, queue_name=ANSWERS)
    for number in range(1000):
        actor.send(number)
    worker = Worker(broker, worker_threads=THREADS, worker_timeout=50)
    worker.start()
    eventually(lambda: len(ran) >= 500 + THREADS)
    eventually(lambda: broker.backend.stats()[0].running > THREADS)
    stopping = threading.Thread(target=worker.stop, daemon=True)
    stopping.start()
    eventually(lambda: broker.backend.stats()[0].running == THREADS)
    gate.set()
    stopping.join(30)
    assert not stopping.is_alive()
    eventually(lambda: broker.backend.stats()[0].running == 0)
    [stats] = broker.backend.stats()
    assert (stats.ready, stats.done) == (1000 - len(ran), len(ran))


def test_an_interrupt_in_the_midst_of_waiting_leaves_nothing_behind(broker: SQLiteBroker) -> None:
    idents: list[int] = []

    def wait_for_ever() -> None:
        idents.append(threading.get_ident())
        with waiting():
            while True:
                time.sleep(0.001)  # an interrupt arrives between two of these

    def has_begun(number: int) -> bool:
        return len(idents) > number

    actor = declare(broker, wait_for_ever, queue_name=ANSWERS, max_retries=0)
    send(broker, actor, 60)
    with working(broker):
        for number in range(60):
            eventually(partial(has_begun, number))
            raise_thread_exception(idents[number], TimeLimitExceeded)
        eventually(lambda: broker.backend.stats()[0].dead == 60)
        window = broker.queues[ANSWERS]
        assert window is not None
        eventually(lambda: window.held == 0)


def test_a_system_that_has_no_more_threads_slows_it_down_and_no_more(
    broker: SQLiteBroker, model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start, started = _Thread.start, itertools.count(1)

    def start_three(thread: _Thread) -> None:
        if next(started) > 3:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(_Thread, "start", start_three)
    actor = declare(broker, model.ask_waiting, queue_name=ANSWERS)
    send(broker, actor, 10)
    with working(broker):
        eventually(lambda: model.calls == 3)
        model.answer()
        broker.join(ANSWERS, timeout=30_000)
    assert model.most == 3
    assert "can't start new thread" in caplog.text


def test_outside_of_a_worker_it_changes_nothing() -> None:
    with waiting():
        pass


def test_in_a_queue_with_dramatiqs_threads_it_changes_nothing(broker: SQLiteBroker, model: Model) -> None:
    actor: Callable[[], None] = declare(broker, model.ask_waiting, queue_name=OWN)
    send(broker, actor, 10)
    with working(broker):
        eventually(lambda: model.calls == THREADS)
        model.answer()
        broker.join(OWN, timeout=30_000)
    assert model.most == THREADS
