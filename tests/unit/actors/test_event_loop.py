"""Coroutines of all threads of a process run on one loop, and end when their time is over."""

from __future__ import annotations

import asyncio
import os
import threading
from contextvars import ContextVar

import pytest
from dramatiq.middleware import TimeLimitExceeded, raise_thread_exception

from actors import event_loop as module
from actors.event_loop import EventLoop, event_loop

asked_for: ContextVar[str] = ContextVar("asked_for")


async def loop_id() -> int:
    return id(asyncio.get_running_loop())


def test_threads_share_a_loop() -> None:
    loops: set[int] = set()
    threads = [threading.Thread(target=lambda: loops.add(event_loop.run(loop_id()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert loops == {event_loop.run(loop_id())}


def test_its_thread_keeps_no_process_from_ending() -> None:
    EventLoop().run(loop_id())

    threads = [thread for thread in threading.enumerate() if thread.name == "recado-event-loop"]
    assert threads
    assert all(thread.daemon for thread in threads)


def test_what_a_coroutine_raises_reaches_the_thread() -> None:
    async def fails() -> None:
        raise TimeoutError("of the coroutine's own")  # and not of the thread's waiting

    with pytest.raises(TimeoutError, match="of the coroutine's own"):
        event_loop.run(fails())


def test_a_coroutine_has_the_context_of_its_thread() -> None:
    async def read() -> str:
        return asked_for.get()

    asked_for.set("this thread")
    assert event_loop.run(read()) == "this thread"


class Waiting:
    """A coroutine that waits for ever, and then cleans up."""

    def __init__(self, loop: EventLoop, *, cleans_up_for_ever: bool = False) -> None:
        self.began, self.cancelled, self.may_end = threading.Event(), threading.Event(), threading.Event()
        self.raised: list[BaseException] = []
        if not cleans_up_for_ever:
            self.may_end.set()
        self.thread = threading.Thread(target=self._run, args=(loop,))
        self.thread.start()
        assert self.began.wait(10)

    def _run(self, loop: EventLoop) -> None:
        try:
            loop.run(self._wait())
        except TimeLimitExceeded as error:
            self.raised.append(error)

    async def _wait(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
            await asyncio.to_thread(self.may_end.wait)


def test_an_interrupted_thread_cancels_its_coroutine_and_no_other() -> None:
    one, other = Waiting(event_loop), Waiting(event_loop)

    raise_thread_exception(one.thread.ident, TimeLimitExceeded)
    one.thread.join(10)

    assert len(one.raised) == 1
    assert one.cancelled.is_set()
    assert other.thread.is_alive()
    assert not other.cancelled.is_set()
    raise_thread_exception(other.thread.ident, TimeLimitExceeded)
    other.thread.join(10)


def test_a_cleanup_without_an_end_holds_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupt is raised as what it is, and the retry does not wait for the coroutine."""
    monkeypatch.setattr(module, "CLEANUP_S", 0.05)
    waiting = Waiting(event_loop, cleans_up_for_ever=True)

    raise_thread_exception(waiting.thread.ident, TimeLimitExceeded)
    waiting.thread.join(10)

    assert not waiting.thread.is_alive()
    assert len(waiting.raised) == 1
    assert waiting.cancelled.wait(10)
    waiting.may_end.set()


@pytest.mark.starts_processes
def test_a_child_has_a_loop_of_its_own() -> None:
    loop = EventLoop()
    assert loop.run(loop_id())
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, str(loop.run(loop_id())).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)

    assert said.isdigit()
    assert loop.run(loop_id()), "the parent's goes on"


@pytest.mark.starts_processes
def test_a_fork_while_another_thread_starts_the_loop_blocks_no_child() -> None:
    loop = EventLoop()
    loop.run(loop_id())
    with loop._starting:  # as another thread would hold it
        pid = os.fork()
        if pid == 0:
            loop.run(loop_id())
            os._exit(0)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
