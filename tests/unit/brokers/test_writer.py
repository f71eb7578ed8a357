"""Group commit: who waits together is committed together, and each learns of its own fate."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from brokers.errors import EngineError
from brokers.writer import Operation, Writer
from tests.support.messages import PATIENCE_S
from tests.support.waiting import eventually

Session = list[str]


class Work(Operation[int]):
    """Something to be written."""

    def __init__(self, apply: Callable[[Session], int], *, lazy: bool = False) -> None:
        super().__init__(lazy=lazy)
        self.apply = apply


class Engine:
    """Commits to a list, and can be held up or made to fail."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.written: Session = []
        self.failures_left = 0
        self.is_committing = threading.Event()
        self.may_commit = threading.Event()
        self.may_commit.set()

    def commit(self, batch: list[Work]) -> None:
        self.is_committing.set()
        assert self.may_commit.wait(PATIENCE_S)
        self.batches.append(len(batch))
        if self.failures_left:
            self.failures_left -= 1
            for operation in batch:
                operation.error = EngineError("away")
            return
        for operation in batch:
            if not operation.abandoned:
                try:
                    operation.result = operation.apply(self.written)
                except ValueError as error:
                    operation.error = error


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer[Work]]:
    writer: Writer[Work] = Writer(engine.commit, name="writer under test")
    yield writer
    engine.may_commit.set()
    writer.close()


def write(text: str, *, lazy: bool = False) -> Work:
    def apply(session: Session) -> int:
        session.append(text)
        return len(session)

    return Work(apply, lazy=lazy)


@pytest.fixture
def held_up(engine: Engine, writer: Writer[Work]) -> Callable[[], None]:
    """A commit is under way, and lasts until this is called."""
    engine.may_commit.clear()
    writer.submit(write("first"))
    assert engine.is_committing.wait(PATIENCE_S)
    return engine.may_commit.set


def test_a_caller_gets_what_its_operation_returned(writer: Writer[Work]) -> None:
    assert write("a").wait(writer.submit, PATIENCE_S) == 1
    assert write("b").wait(writer.submit, PATIENCE_S) == 2


def test_all_that_wait_meanwhile_share_the_next_commit(
    engine: Engine, writer: Writer[Work], held_up: Callable[[], None]
) -> None:
    with ThreadPoolExecutor(max_workers=20) as pool:
        waiting = [pool.submit(write(str(n)).wait, writer.submit, PATIENCE_S) for n in range(20)]
        eventually(lambda: writer._inbox.qsize() == 20)
        held_up()
        results = sorted(answer.result() for answer in waiting)
    assert results == list(range(2, 22))
    assert engine.batches == [1, 20]


def test_coroutines_and_threads_share_commits(
    engine: Engine, writer: Writer[Work], held_up: Callable[[], None]
) -> None:
    async def wait_for_ten() -> list[int]:
        waiting = asyncio.gather(
            *(write("coroutine").wait_async(writer.submit, PATIENCE_S) for _ in range(10))
        )
        await asyncio.sleep(0)
        writer.submit(write("thread"))
        held_up()
        return await waiting

    assert sorted(asyncio.run(wait_for_ten())) == list(range(2, 12))
    assert engine.batches == [1, 11]


def test_an_operation_that_fails_fails_alone(
    writer: Writer[Work], engine: Engine, held_up: Callable[[], None]
) -> None:
    def refuse(_: Session) -> int:
        raise ValueError("not this one")

    with ThreadPoolExecutor() as pool:
        good = pool.submit(write("good").wait, writer.submit, PATIENCE_S)
        bad = pool.submit(Work(refuse).wait, writer.submit, PATIENCE_S)
        eventually(lambda: writer._inbox.qsize() == 2)
        held_up()
        with pytest.raises(ValueError, match="not this one"):
            bad.result()
        assert good.result()


def test_a_failed_commit_is_told_to_who_waits(engine: Engine, writer: Writer[Work]) -> None:
    engine.failures_left = 1
    with pytest.raises(EngineError, match="away"):
        write("a").wait(writer.submit, PATIENCE_S)
    assert write("b").wait(writer.submit, PATIENCE_S) == 1


def test_what_nobody_waits_for_is_tried_until_it_succeeds(
    engine: Engine, writer: Writer[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.writer.RETRY_S", 0.001)
    engine.failures_left = 3
    writer.submit(write("ack", lazy=True))

    eventually(lambda: engine.written == ["ack"])
    assert len(engine.batches) == 4


def test_what_is_owed_goes_along_with_the_next_commit(
    engine: Engine, writer: Writer[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.writer.RETRY_S", PATIENCE_S * 10)
    engine.failures_left = 1
    writer.submit(write("ack", lazy=True))
    eventually(lambda: engine.batches == [1])

    write("other").wait(writer.submit, PATIENCE_S)
    assert engine.written == ["ack", "other"]


def test_lazy_operations_travel_together(
    engine: Engine, writer: Writer[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.writer.LINGER_S", PATIENCE_S)
    for number in range(5):
        writer.submit(write(str(number), lazy=True))
    write("in a hurry").wait(writer.submit, PATIENCE_S)

    assert engine.batches == [6]


def test_a_lazy_operation_does_not_wait_for_company_for_ever(engine: Engine, writer: Writer[Work]) -> None:
    writer.submit(write("alone", lazy=True))

    eventually(lambda: engine.written == ["alone"])


def test_closing_commits_what_was_submitted(engine: Engine, writer: Writer[Work]) -> None:
    for number in range(3):
        writer.submit(write(str(number), lazy=True))
    writer.close()

    assert engine.written == ["0", "1", "2"]
    with pytest.raises(EngineError, match="closed"):
        writer.submit(write("late"))


def test_closing_tries_once_more_what_failed(engine: Engine, writer: Writer[Work]) -> None:
    engine.failures_left = 1
    writer.submit(write("ack", lazy=True))
    writer.close()

    assert engine.written == ["ack"]


def test_closing_ends_though_the_engine_is_away(
    engine: Engine, writer: Writer[Work], caplog: pytest.LogCaptureFixture
) -> None:
    engine.failures_left = 100
    writer.submit(write("ack", lazy=True))
    writer.close()

    assert engine.written == []
    assert "will be delivered again" in caplog.text


def test_who_waited_too_long_is_told_and_its_operation_never_runs(
    engine: Engine, writer: Writer[Work], held_up: Callable[[], None]
) -> None:
    with pytest.raises(EngineError, match="did not answer within"):
        write("too late").wait(writer.submit, 0.01)
    with pytest.raises(EngineError, match="did not answer within"):
        asyncio.run(write("too late as well").wait_async(writer.submit, 0.01))
    held_up()

    write("after").wait(writer.submit, PATIENCE_S)
    assert engine.written == ["first", "after"]


def test_an_event_loop_that_closes_meanwhile_harms_nobody(
    engine: Engine, writer: Writer[Work], held_up: Callable[[], None]
) -> None:
    async def leave_without_waiting() -> asyncio.Task[int]:
        waiting = asyncio.create_task(write("left behind").wait_async(writer.submit, PATIENCE_S))
        await asyncio.sleep(0)
        return waiting

    assert asyncio.run(leave_without_waiting()).cancelled()
    held_up()
    assert write("after").wait(writer.submit, PATIENCE_S) == 3


def test_a_loop_that_closes_at_the_very_last_moment_harms_nobody(
    writer: Writer[Work], held_up: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look whether it is closed and the call that wakes it."""

    async def leave_without_waiting() -> asyncio.AbstractEventLoop:
        waiting = asyncio.create_task(write("left behind").wait_async(writer.submit, PATIENCE_S))
        await asyncio.sleep(0)
        waiting.cancel()
        return asyncio.get_running_loop()

    loop = asyncio.run(leave_without_waiting())
    with monkeypatch.context() as patch:
        patch.setattr(loop, "is_closed", lambda: False)
        held_up()
        write("together").wait(writer.submit, PATIENCE_S)
        assert write("after").wait(writer.submit, 5) == 4


def test_closing_waits_for_a_commit_no_longer_than_it_is_told(engine: Engine, writer: Writer[Work]) -> None:
    engine.may_commit.clear()
    writer.submit(write("stuck", lazy=True))
    assert engine.is_committing.wait(PATIENCE_S)
    assert not writer.close(timeout_s=0.01)

    engine.may_commit.set()
    assert writer.close()
    assert engine.written == ["stuck"]
