"""When an API begins to serve, and when it stops because its queue must not be used."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.opening import Opening
from brokers.errors import EngineError, NotDurable


class Queue:
    """A queue that opens as often as it was told to, and raises before."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.may_answer = threading.Event()

    def open(self) -> None:
        assert self.may_answer.wait(10)
        if self._errors:
            raise self._errors.pop(0)


@contextmanager
def terminations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """The signals that the process sends to itself."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    yield sent


async def settled(opening: Opening) -> None:
    async with asyncio.timeout(10):
        while opening.trouble is not None and opening.refusal is None:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.01)


def test_an_api_beside_another_serves_only_once_its_queue_is_open() -> None:
    async def scenario() -> None:
        queue = Queue(EngineError("away"), EngineError("away"))
        opening = Opening(queue.open, first_try_s=None)
        begun = asyncio.create_task(opening.begin())
        done, _ = await asyncio.wait([begun], timeout=1.0)
        assert not done
        queue.may_answer.set()
        await asyncio.wait_for(begun, 10)
        assert opening.trouble is None
        await opening.end()

    asyncio.run(scenario())


def test_an_api_beside_another_that_is_told_to_stop_waits_no_longer() -> None:
    async def scenario() -> None:
        queue = Queue()
        opening = Opening(queue.open, first_try_s=None)
        begun = asyncio.create_task(opening.begin())
        await asyncio.sleep(0)
        opening.stop_waiting()
        await asyncio.wait_for(begun, 10)
        assert opening.trouble is not None
        queue.may_answer.set()
        await opening.end()

    asyncio.run(scenario())


def test_a_lone_api_serves_after_its_first_try_was_too_long() -> None:
    async def scenario() -> None:
        queue = Queue()
        opening = Opening(queue.open, first_try_s=0.01)
        await opening.begin()
        assert opening.trouble is not None
        queue.may_answer.set()
        await settled(opening)

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [NotDurable("no fsync"), RuntimeError("a fault")])
def test_a_refusal_before_the_api_serves_keeps_it_from_starting(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        queue = Queue(error)
        queue.may_answer.set()
        with pytest.raises(type(error)):
            await Opening(queue.open).begin()

    with terminations(monkeypatch) as sent:
        asyncio.run(scenario())
    assert sent == []


@pytest.mark.parametrize("error", [NotDurable("no fsync"), RuntimeError("a fault"), RuntimeError()])
def test_a_refusal_of_the_first_try_stops_an_api_that_serves_already(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        queue = Queue(error)
        opening = Opening(queue.open, first_try_s=0.01)
        await opening.begin()
        queue.may_answer.set()
        await settled(opening)
        assert opening.refusal is error
        assert opening.trouble

    with terminations(monkeypatch) as sent:
        asyncio.run(scenario())
    assert sent == [(os.getpid(), signal.SIGTERM)]
