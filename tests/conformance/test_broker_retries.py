"""I3: what failed is retried in place, and what could not be passed on is not acked."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Message, Middleware, Worker
from dramatiq.errors import Retry
from dramatiq.middleware import AsyncIO, CurrentMessage
from dramatiq.middleware import default_middleware as dramatiqs_middleware
from dramatiq.results import ResultFailure, Results

from brokers import SQLiteResultBackend
from brokers.durable import DurableBroker
from brokers.errors import EngineError
from brokers.middleware import default_middleware
from tests.support.engines import Engine
from tests.support.messages import PATIENCE_S, QUEUE, found, stats_of
from tests.support.waiting import eventually

from .conftest import declare, working


class Attempts:
    """Counts, and fails the first few times."""

    def __init__(self, failures: int = 1, error: Callable[[], BaseException] = RuntimeError) -> None:
        self.count = 0
        self._failures = failures
        self._error = error

    def __call__(self, *_: Any, **__: Any) -> None:
        self.count += 1
        if self.count <= self._failures:
            raise self._error()


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message given back rests a second, which would only make these tests slow."""
    monkeypatch.setattr("brokers.consumer.RELEASE_DELAY_MS", 1)


def join(broker: DurableBroker, queue: str = QUEUE) -> None:
    broker.join(queue, timeout=30_000)
    broker.backend.sync()


@pytest.mark.needs("exact")
def test_a_failure_is_retried_until_it_works(broker: DurableBroker, worker: Worker) -> None:
    attempts = Attempts(failures=2)
    flaky = declare(broker, attempts, actor_name="flaky", min_backoff=1, max_backoff=1)
    flaky.send()
    join(broker)

    assert attempts.count == 3
    stats = stats_of(broker.backend)
    assert (stats.done, stats.dead) == (1, 0), "one message, from first to last"


@pytest.mark.needs("exact")
def test_an_engine_that_is_away_uses_up_no_retries(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be away for longer than all retries together."""
    monkeypatch.setattr("brokers.middleware.retries.AWAY_MS", 1)
    attempts = Attempts(failures=5, error=lambda: EngineError("the other engine is away"))
    with closing(engine.broker(middleware=default_middleware(max_retries=1, min_backoff_ms=1))) as broker:
        declare(broker, attempts, actor_name="flaky").send()
        with working(broker):
            join(broker)
        assert attempts.count == 6
        assert (stats_of(broker.backend).done, stats_of(broker.backend).dead) == (1, 0)


@pytest.mark.needs("exact")
def test_a_message_that_waits_for_an_engine_is_tried_ever_more_rarely_without_a_traceback(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("brokers.middleware.retries.AWAY_MS", 10)
    monkeypatch.setattr("brokers.middleware.retries.LONGEST_AWAY_MS", 200)
    pauses_ms: list[int] = []

    class Noted(Middleware):
        def after_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:  # noqa: ARG002
            pauses_ms.append(delay or 0)

    attempts = Attempts(failures=8, error=lambda: EngineError("the file is no database"))
    with closing(engine.broker(middleware=[Noted(), *default_middleware()])) as broker:
        declare(broker, attempts, actor_name="flaky").send()
        with working(broker):
            join(broker)

    assert attempts.count == 9
    of_tries = pauses_ms[1:]
    assert of_tries[0] <= 20
    assert all(before < after for before, after in pairwise(of_tries[:4]))
    assert all(100 <= pause_ms <= 200 for pause_ms in of_tries[5:]), "the longest, with jitter"
    told = [record for record in caplog.records if "the file is no database" in record.getMessage()]
    assert len(told) == 8
    assert not any(record.exc_info for record in caplog.records)


class TestAPauseLongerThanTheMessageMayLive:
    """It ends when the message's age limit is reached: the message is a dead letter then."""

    DAY_MS = 86_400_000

    #: So long that a busy machine begins with a message before it has expired.
    MAX_AGE_MS = 2_000

    @pytest.fixture
    def told(self) -> list[str]:
        """The ids of the messages that came to nothing, as their `on_retry_exhausted` actor was told."""
        return []

    @pytest.fixture
    def broker(self, engine: Engine, told: list[str]) -> Iterator[DurableBroker]:
        middleware = default_middleware(max_age_ms=self.MAX_AGE_MS, min_backoff_ms=self.DAY_MS)
        with closing(engine.broker(middleware=middleware)) as broker:
            declare(
                broker,
                lambda message, _: told.append(message["message_id"]),
                actor_name="tell",
                max_age=60_000,
            )
            yield broker

    def ends(self, broker: DurableBroker, told: list[str], attempts: Attempts, **options: Any) -> None:
        actor = declare(broker, attempts, actor_name="flaky", on_retry_exhausted="tell", **options)
        message_id = actor.send().message_id
        with working(broker):
            eventually(lambda: told == [message_id])
            eventually(lambda: found(broker.backend, message_id).state == "dead")
        assert found(broker.backend, message_id).reason == "expired"
        assert attempts.count == 1

    def test_that_an_actor_asked_for(self, broker: DurableBroker, told: list[str]) -> None:
        self.ends(broker, told, Attempts(failures=9, error=lambda: Retry(delay=self.DAY_MS)))

    def test_of_the_backoff(self, broker: DurableBroker, told: list[str]) -> None:
        self.ends(broker, told, Attempts(failures=9))

    def test_of_a_message_that_is_put_back(self, broker: DurableBroker, told: list[str]) -> None:
        class PutBack(Attempts):
            def __call__(self, *_: Any, **__: Any) -> None:
                self.count += 1
                broker.enqueue(in_hand(), delay=TestAPauseLongerThanTheMessageMayLive.DAY_MS)

        self.ends(broker, told, PutBack())

    def test_by_the_limit_of_its_actor(self, engine: Engine, told: list[str]) -> None:
        with closing(engine.broker(middleware=default_middleware(min_backoff_ms=self.DAY_MS))) as broker:
            declare(broker, lambda message, _: told.append(message["message_id"]), actor_name="tell")
            self.ends(broker, told, Attempts(failures=9), max_age=500)

    def test_unless_no_age_is_too_great(self, engine: Engine) -> None:
        with closing(engine.broker(middleware=default_middleware(min_backoff_ms=self.DAY_MS))) as broker:
            message_id = declare(broker, Attempts(failures=9), actor_name="flaky").send().message_id
            with working(broker):
                eventually(lambda: found(broker.backend, message_id).state == "delayed")
            waiting = found(broker.backend, message_id)
            assert waiting.due_at - waiting.enqueued_at >= self.DAY_MS / 2  # a backoff has jitter


def test_a_message_between_two_tries_tells_its_story(broker: DurableBroker, worker: Worker) -> None:
    attempts = Attempts(error=lambda: ValueError("of all things"))
    flaky = declare(broker, attempts, actor_name="flaky", min_backoff=60_000)
    message_id = flaky.send().message_id

    eventually(lambda: found(broker.backend, message_id).state == "delayed")
    waiting = found(broker.backend, message_id)
    assert waiting.deliveries == 1
    assert waiting.last_error is not None
    assert "ValueError: of all things" in waiting.last_error
    assert b'"retries":1' in waiting.payload


@pytest.mark.needs("exact")
@pytest.mark.parametrize("delay", [0, 1, 200])
def test_an_actor_may_ask_for_a_retry(broker: DurableBroker, worker: Worker, delay: int) -> None:
    attempts = Attempts(failures=3, error=lambda: Retry(delay=delay))
    declare(broker, attempts, actor_name="flaky").send()
    join(broker)

    assert attempts.count == 4
    assert stats_of(broker.backend).done == 1


def test_exhausted_retries_end_in_a_dead_letter(broker: DurableBroker, worker: Worker) -> None:
    attempts = Attempts(failures=100, error=lambda: ValueError("never"))
    hopeless = declare(broker, attempts, actor_name="hopeless", max_retries=2, min_backoff=1, max_backoff=1)
    message_id = hopeless.send().message_id
    join(broker)

    dead = found(broker.backend, message_id)
    assert attempts.count == 3
    assert (dead.state, dead.reason, dead.deliveries) == ("dead", "failed", 3)
    assert dead.last_error is not None
    assert "ValueError: never" in dead.last_error


def in_hand() -> Message[Any]:
    message = CurrentMessage.get_current_message()
    assert message is not None
    return message


class TestTheMessageInHand:
    """An actor that enqueues its own message asks for it to come back, once."""

    @pytest.fixture
    def broker(self, engine: Engine) -> Iterator[DurableBroker]:
        middleware = [kind() for kind in dramatiqs_middleware]
        with closing(engine.broker(middleware=[*middleware, CurrentMessage(), AsyncIO()])) as broker:
            yield broker

    @pytest.mark.needs("exact")
    def test_from_a_thread(self, broker: DurableBroker) -> None:
        runs: list[int] = []

        @dramatiq.actor(broker=broker)
        def three_times() -> None:
            runs.append(1)
            if len(runs) < 3:
                broker.enqueue(in_hand())

        three_times.send()
        self.runs_as_one_message(broker, runs)

    @pytest.mark.needs("exact")
    def test_from_a_coroutine(self, broker: DurableBroker) -> None:
        runs: list[int] = []

        @dramatiq.actor(broker=broker)
        async def three_times(so_far: int) -> None:
            runs.append(1)
            if so_far < 2:
                await broker.enqueue_async(in_hand().copy(args=(so_far + 1,)), delay=1)

        three_times.send(0)
        self.runs_as_one_message(broker, runs)

    @pytest.mark.needs("exact")
    @pytest.mark.parametrize("copies", [2, 5])
    def test_each_copy_runs(self, broker: DurableBroker, copies: int) -> None:
        runs: list[int | None] = []
        ids: list[str] = []

        @dramatiq.actor(broker=broker)
        def copies_itself(number: int | None = None) -> None:
            runs.append(number)
            if number is None:
                ids.extend(broker.enqueue(in_hand().copy(args=(n,))).message_id for n in range(copies))

        original = copies_itself.send()
        with working(broker):
            join(broker)
        assert sorted(runs[1:], key=str) == list(range(copies))
        assert (ids[0], len({*ids})) == (original.message_id, copies), "each is returned as it is stored"
        assert stats_of(broker.backend).done == copies

    @pytest.mark.needs("exact")
    def test_a_message_that_asks_twice_comes_back_twice(self, broker: DurableBroker) -> None:
        runs: list[int] = []

        @dramatiq.actor(broker=broker)
        def twice() -> None:
            runs.append(1)
            if len(runs) == 1:
                broker.enqueue(in_hand())
                broker.enqueue(in_hand(), delay=1)

        twice.send()
        with working(broker):
            join(broker)
        assert len(runs) == 3
        assert stats_of(broker.backend).done == 2

    @pytest.mark.parametrize("max_retries", [0, 1])
    def test_a_failure_does_not_undo_a_copy(self, broker: DurableBroker, max_retries: int) -> None:
        runs: list[str] = []

        @dramatiq.actor(broker=broker, max_retries=max_retries, min_backoff=1, max_backoff=1)
        def copies_itself(name: str) -> None:
            runs.append(name)
            if name == "original":
                if len(runs) == 1:
                    broker.enqueue(in_hand().copy(args=("copy",), options={"max_retries": 0}))
                raise ValueError("no")

        message_id = copies_itself.send("original").message_id
        with working(broker):
            join(broker)
        assert sorted(runs) == ["copy"] + ["original"] * (max_retries + 1)
        dead = found(broker.backend, message_id)
        assert Message.decode(dead.payload).args == ("original",), "the message in hand keeps its id"
        assert (dead.reason, dead.deliveries) == ("failed", max_retries + 1)
        assert stats_of(broker.backend).done == 1

    def test_a_copy_for_another_broker_is_a_message_there(
        self, broker: DurableBroker, engine: Engine, tmp_path: Path
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        runs: list[str] = []
        with closing(engine.beside(elsewhere).broker(middleware=[])) as other:
            declare(other, lambda: runs.append("there"), actor_name="work")

            def work() -> None:
                runs.append("here")
                other.enqueue(in_hand().copy())

            declare(broker, work, actor_name="work")
            message_id = broker.get_actor("work").send().message_id
            with working(broker):
                join(broker)
            assert runs == ["here"]
            assert found(other.backend, message_id).state == "ready"
            with working(other):
                join(other)
            assert runs == ["here", "there"]

    def runs_as_one_message(self, broker: DurableBroker, runs: list[int]) -> None:
        with working(broker):
            join(broker)
        assert len(runs) == 3
        assert stats_of(broker.backend).done == 1


class TestWhatCannotBeStored:
    """Dramatiq only logs it when a callback or the next of a pipeline cannot be enqueued."""

    @pytest.fixture
    def ran(self, broker: DurableBroker) -> list[str]:
        """Declares actors that note here that they ran."""
        ran: list[str] = []

        @dramatiq.actor(broker=broker)
        def follow(*_: Any) -> None:
            ran.append("follow")

        @dramatiq.actor(broker=broker, max_retries=0)
        def lead(*, fail: bool = False) -> None:
            ran.append("lead")
            if fail:
                raise ValueError("no")

        return ran

    @pytest.mark.needs("exact")
    @pytest.mark.parametrize("how", ["on_success", "pipeline"])
    def test_the_message_is_given_back_and_tried_again(
        self, broker: DurableBroker, monkeypatch: pytest.MonkeyPatch, ran: list[str], how: str
    ) -> None:
        lead, follow = broker.get_actor("lead"), broker.get_actor("follow")
        if how == "pipeline":
            dramatiq.pipeline([lead.message(), follow.message()], broker=broker).run()
        else:
            lead.send_with_options(on_success="follow")
        away_for_a_moment(broker, monkeypatch)

        with working(broker):
            join(broker)
        assert ran == ["lead", "lead", "follow"]
        stats = stats_of(broker.backend)
        assert (stats.done, stats.dead) == (2, 0)

    def test_a_failed_message_is_not_buried_before_its_failure_was_passed_on(
        self, broker: DurableBroker, monkeypatch: pytest.MonkeyPatch, ran: list[str]
    ) -> None:
        message = broker.get_actor("lead").send_with_options(kwargs={"fail": True}, on_failure="follow")
        away_for_a_moment(broker, monkeypatch)

        with working(broker):
            join(broker)
        assert ran == ["lead", "lead", "follow"]
        assert found(broker.backend, message.message_id).reason == "failed"

    @pytest.mark.usefixtures("ran", "worker")
    def test_what_can_never_be_stored_becomes_a_dead_letter(self, broker: DurableBroker) -> None:
        follow = broker.get_actor("follow")
        message = (
            broker.get_actor("lead")
            .message()
            .copy(options={"pipe_target": follow.message().copy(queue_name="undeclared").asdict()})
        )
        broker.enqueue(message)
        join(broker)

        dead = found(broker.backend, message.message_id)
        assert dead.reason == "undeliverable"
        assert dead.last_error is not None
        assert "QueueNotFound" in dead.last_error

    @pytest.mark.usefixtures("ran", "worker")
    @pytest.mark.parametrize("how", ["next", "retry"])
    def test_all_who_wait_for_what_can_never_be_stored_are_told(
        self, broker: DurableBroker, tmp_path: Path, how: str
    ) -> None:
        told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        declare(broker, lambda *arguments: told.put(("failed", *arguments)), actor_name="failed")
        declare(broker, lambda *arguments: told.put(("exhausted", *arguments)), actor_name="exhausted")
        options: dict[str, Any] = {"on_failure": "failed", "on_retry_exhausted": "exhausted"}

        @dramatiq.actor(broker=broker)
        def work() -> None:
            if how == "retry":
                broker.enqueue(message.copy(args=(object(),)))

        if how == "next":
            options["pipe_target"] = work.message().copy(queue_name="undeclared").asdict()
        message = work.message_with_options(**options)
        with closing(SQLiteResultBackend(tmp_path / "results.db")) as results:
            broker.middleware.append(Results(backend=results, store_results=True))
            broker.enqueue(message)
            calls = {call[0]: call[1:] for call in (told.get(timeout=PATIENCE_S) for _ in range(2))}
            with pytest.raises(ResultFailure):
                eventually(lambda: message.get_result(backend=results, block=True, timeout=30_000) and False)
            join(broker)
            assert found(broker.backend, message.message_id).reason == "undeliverable"
        assert {letter["message_id"] for letter, _ in calls.values()} == {message.message_id}

    @pytest.mark.needs("exact")
    def test_an_actor_may_handle_it_itself(
        self, broker: DurableBroker, monkeypatch: pytest.MonkeyPatch, ran: list[str]
    ) -> None:
        @dramatiq.actor(broker=broker)
        def careful() -> None:
            try:
                broker.get_actor("follow").send()
            except EngineError:
                ran.append("handled")

        careful.send()
        away_for_a_moment(broker, monkeypatch)
        with working(broker):
            join(broker)
        assert ran == ["handled"]
        assert stats_of(broker.backend).done == 1


def away_for_a_moment(broker: DurableBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next enqueue fails as it does while the engine is away; those after it work."""
    attempts = Attempts(error=lambda: EngineError("away"))
    enqueue = broker.backend.enqueue

    def sometimes(message: Any) -> bool:
        attempts()
        return enqueue(message)

    monkeypatch.setattr(broker.backend, "enqueue", sometimes)


def test_a_retry_that_outgrows_the_limit_is_not_stuck(engine: Engine) -> None:
    """A retry carries a traceback, and so is larger than the message that was let in."""
    middleware = [kind() for kind in dramatiqs_middleware]
    attempts = Attempts(error=lambda: ValueError("x" * 500))
    with closing(engine.broker(middleware=middleware, max_message_bytes=2_000)) as broker:
        flaky = declare(broker, attempts, actor_name="flaky", min_backoff=60_000)
        message_id = flaky.send("y" * 1_600).message_id
        with working(broker):
            eventually(lambda: found(broker.backend, message_id).state in {"delayed", "dead"})


def test_a_retry_that_cannot_be_encoded_is_not_stuck(broker: DurableBroker, worker: Worker) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def careless() -> None:
        broker.enqueue(message.copy(args=(object(),)))

    message = careless.message()
    broker.enqueue(message)
    eventually(lambda: found(broker.backend, message.message_id).state == "dead")


def test_an_error_that_is_not_text_is_kept_all_the_same(
    caplog: pytest.LogCaptureFixture, broker: DurableBroker, worker: Worker
) -> None:
    """Half a surrogate pair, as in the name of a file that is not UTF-8, is in no encoding."""
    # pytest cannot report what is no text either. Captured first, the log is captured until the worker has
    # stopped.
    caplog.set_level(logging.CRITICAL + 1, "dramatiq")
    attempts = Attempts(error=lambda: ValueError("no such file: \udcff"))
    message_id = declare(broker, attempts, actor_name="flaky", max_retries=0).send().message_id

    eventually(lambda: found(broker.backend, message_id).state == "dead")
    assert "no such file" in (found(broker.backend, message_id).last_error or "")


def test_settling_goes_on_when_the_engine_is_back(
    broker: DurableBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dramatiq tries again as long as the error is a connection error, and only then."""
    monkeypatch.setattr("dramatiq.worker.POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.01)
    away = Attempts(failures=3, error=lambda: EngineError("away"))
    nack = broker.backend.nack

    def sometimes(*args: Any, **kwargs: Any) -> None:
        away()
        nack(*args, **kwargs)

    monkeypatch.setattr(broker.backend, "nack", sometimes)
    hopeless = declare(broker, Attempts(), actor_name="hopeless", max_retries=0)
    message_id = hopeless.send().message_id
    with working(broker):
        join(broker)
    assert away.count == 4
    assert found(broker.backend, message_id).reason == "failed"


def test_consuming_goes_on_when_the_engine_is_back(
    broker: DurableBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.01)
    away = Attempts(failures=3, error=lambda: EngineError("away"))
    dequeue = broker.backend.dequeue

    def sometimes(*args: Any, **kwargs: Any) -> Any:
        away()
        return dequeue(*args, **kwargs)

    monkeypatch.setattr(broker.backend, "dequeue", sometimes)
    ran = threading.Event()
    declare(broker, ran.set, actor_name="work").send()
    with working(broker):
        assert ran.wait(PATIENCE_S)
    assert away.count > 3
