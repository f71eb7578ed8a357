"""Interrupts actors that run for too long, and nothing else."""

from __future__ import annotations

import ctypes
import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from dramatiq import Actor, Broker, MessageProxy, Middleware
from dramatiq.middleware import TimeLimitExceeded, raise_thread_exception
from dramatiq.middleware.threading import is_gevent_active

logger = logging.getLogger(__name__)

#: How often running actors are checked, in seconds.
CHECK_EVERY_S = 1.0


class TimeLimit(Middleware):
    """Raises `TimeLimitExceeded` in the thread of an actor that is over its limit.

    Dramatiq's own class arms the interrupt before the actor and disarms it in a hook after it, so that a
    late one can hit the middleware in between, or the worker's loop, whose thread then dies for good.
    This one wraps the actor's function: once that has returned, no interrupt is left to arrive.

    Like Dramatiq's it cannot interrupt C code and system calls; under gevent it interrupts where the actor
    lets others run.

    Parameters:
      time_limit: the default limit, in milliseconds; an actor or a message may set its own.
    """

    def __init__(self, *, time_limit: float = 600_000) -> None:
        self.time_limit = time_limit
        self._alarm: _Alarm = _GeventTimers() if is_gevent_active() else _Watchdog()
        self._thread = threading.local()
        self._actors: dict[str, Actor[Any, Any]] = {}  # those whose functions are wrapped

    @property
    def actor_options(self) -> set[str]:
        return {"time_limit"}

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:  # noqa: ARG002
        self._actors[actor.actor_name] = actor
        actor.fn = self._limited(actor.fn)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        actor = broker.get_actor(message.actor_name)
        if self._actors.get(actor.actor_name) is not actor:  # declared before this middleware joined the list
            self.after_declare_actor(broker, actor)
        self._thread.limit_ms = message.options.get("time_limit") or actor.options.get(
            "time_limit", self.time_limit
        )

    def _limited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def limited(*args: Any, **kwargs: Any) -> Any:
            # Taken, so that an actor which calls another directly does not start its clock anew.
            limit_ms, self._thread.limit_ms = getattr(self._thread, "limit_ms", None), None
            if limit_ms is None or limit_ms == float("inf"):
                return function(*args, **kwargs)
            self._alarm.arm(limit_ms / 1000)
            try:
                return function(*args, **kwargs)
            finally:
                self._alarm.disarm()

        return limited


class _Alarm(Protocol):
    """Interrupts the thread that armed it when its time is up."""

    def arm(self, limit_s: float) -> None:
        """Interrupt this thread in `limit_s` seconds."""
        ...

    def disarm(self) -> None:
        """After this no interrupt is on its way to this thread."""
        ...


class _GeventTimers:
    """Arms a timer for each greenlet: gevent makes one of each thread, and a watchdog cannot interrupt it."""

    def __init__(self) -> None:
        self._greenlet = threading.local()

    def arm(self, limit_s: float) -> None:
        from gevent import Timeout  # noqa: PLC0415  where it is installed and active

        self._greenlet.timer = Timeout.start_new(limit_s, TimeLimitExceeded)

    def disarm(self) -> None:
        self._greenlet.timer.close()


class _Watchdog:
    """One thread that looks at every running actor's deadline.

    The thread that takes a deadline out of the dictionary, which is atomic, decides. If it is the actor's,
    there is no interrupt. If it is this one, the actor's thread waits for the interrupt that it is about to
    get.
    """

    def __init__(self) -> None:
        self._deadlines: dict[int, float] = {}
        self._interrupting = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def arm(self, limit_s: float) -> None:
        if self._thread is None or not self._thread.is_alive():  # never started, or left behind by a fork
            self._start()
        self._deadlines[threading.get_ident()] = time.monotonic() + limit_s

    def disarm(self) -> None:
        ident = threading.get_ident()
        if self._deadlines.pop(ident, None) is not None:
            return
        while True:
            try:
                with self._interrupting:
                    self._deadlines.pop(ident, None)  # put back by a watchdog that mistook it for another
                    # It was sent. If it has not arrived yet, it is called back.
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), None)
            except TimeLimitExceeded:
                continue  # it arrived here, a moment after the actor was done: too late to matter
            return

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="recado-time-limit", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(CHECK_EVERY_S)
            now = time.monotonic()
            for ident, deadline in list(self._deadlines.items()):
                if deadline <= now:
                    self._interrupt(ident, deadline)

    def _interrupt(self, ident: int, deadline: float) -> None:
        with self._interrupting:
            current = self._deadlines.pop(ident, None)
            if current == deadline:
                logger.warning("Time limit exceeded: interrupting thread %d", ident)
                raise_thread_exception(ident, TimeLimitExceeded)
            elif current is not None:
                self._deadlines[ident] = current  # that job ended meanwhile, and the next began
