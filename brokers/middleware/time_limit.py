"""Interrupts actors that run for too long, and nothing else."""

from __future__ import annotations

import ctypes
import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from dramatiq import Actor, Broker, MessageProxy, Middleware
from dramatiq.middleware import TimeLimitExceeded, raise_thread_exception

logger = logging.getLogger(__name__)

#: How often running actors are checked, in seconds.
CHECK_EVERY_S = 1.0


class TimeLimit(Middleware):
    """Raises `TimeLimitExceeded` in the thread of an actor that is over its limit.

    Dramatiq's own class arms the interrupt before the actor and disarms it in a hook after it, so that a
    late one can hit the middleware in between, or the worker's loop, whose thread then dies for good.
    This one wraps the actor's function: once that has returned, no interrupt is left to arrive.

    Like Dramatiq's it cannot interrupt C code and system calls.

    Parameters:
      time_limit: the default limit, in milliseconds; an actor or a message may set its own.
    """

    def __init__(self, *, time_limit: float = 600_000) -> None:
        self._time_limit = time_limit
        self._watchdog = _Watchdog()
        self._thread = threading.local()

    @property
    def actor_options(self) -> set[str]:
        return {"time_limit"}

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:  # noqa: ARG002
        actor.fn = self._limited(actor.fn)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        actor = broker.get_actor(message.actor_name)
        self._thread.limit_ms = message.options.get("time_limit") or actor.options.get(
            "time_limit", self._time_limit
        )

    def _limited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def limited(*args: Any, **kwargs: Any) -> Any:
            # Taken, so that an actor which calls another directly does not start its clock anew.
            limit_ms, self._thread.limit_ms = getattr(self._thread, "limit_ms", None), None
            if limit_ms is None or limit_ms == float("inf"):
                return function(*args, **kwargs)
            self._watchdog.arm(limit_ms / 1000)
            try:
                return function(*args, **kwargs)
            finally:
                self._watchdog.disarm()

        return limited


class _Watchdog:
    """One thread that looks at every running actor's deadline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[int, float] = {}
        self._thread: threading.Thread | None = None

    def arm(self, limit_s: float) -> None:
        with self._lock:
            self._deadlines[threading.get_ident()] = time.monotonic() + limit_s
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="recado-time-limit", daemon=True)
                self._thread.start()

    def disarm(self) -> None:
        """After this no interrupt is on its way to this thread."""
        ident = threading.get_ident()
        while True:
            try:
                with self._lock:
                    self._deadlines.pop(ident, None)
                # Nobody can send one any more; one that was sent and has not arrived is called back.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), None)
            except TimeLimitExceeded:
                continue  # it arrived here, a moment after the actor was done: too late to matter
            return

    def _run(self) -> None:
        while True:
            time.sleep(CHECK_EVERY_S)
            now = time.monotonic()
            with self._lock:  # held while raising: whoever disarms then knows that none is being sent
                for ident in [ident for ident, deadline in self._deadlines.items() if deadline <= now]:
                    del self._deadlines[ident]
                    logger.warning("Time limit exceeded: interrupting thread %d", ident)
                    raise_thread_exception(ident, TimeLimitExceeded)
