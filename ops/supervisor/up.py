"""`recado up`: puts the parts together, and runs them."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO, cast

from ops.foundation.logging import configure_logging, writes_json
from ops.foundation.settings import Settings

from . import events
from .crew import Crew
from .deathsig import adopt_orphans
from .directory import RunDirectory
from .door import Door
from .heartbeat import Heartbeat
from .listener import listen, url_of
from .logs import Outlet, Writer, labelled
from .loop import Loop
from .notify import Notifier
from .plan import limits_of, plan_of
from .processes import Processes
from .reaper import reap
from .status import document
from .supervisor import Supervisor

#: How long the last log lines may take to be written, in seconds.
LAST_LINES_S = 1.0

#: A helper that reports a death may take so long, in seconds.
REPORT_WITHIN_S = 10.0

_STOP, _RELOAD = {signal.SIGTERM, signal.SIGINT}, signal.SIGHUP


class Up:
    """A supervisor at work on this machine.

    Parameters:
      settings: all of them, known to be right.
      modules: imported by the workers too.
      directory: the run directory, which is ours.
      listener: the socket the API is to listen on.
    """

    def __init__(
        self, settings: Settings, modules: Sequence[str], directory: RunDirectory, listener: socket.socket
    ) -> None:
        self._as_json = writes_json(settings)
        self._output = sys.stderr.fileno()
        self._outlet = Outlet(self._output, self._dropped)
        # What we log ourselves must not wait for its reader either.
        sys.stderr = cast(TextIO, Writer(self._outlet, is_terminal=sys.stderr.isatty()))
        configure_logging(settings)
        self._settings = settings
        self._address = url_of(listener)
        self._directory = directory
        self._notifier = Notifier()
        self._loop = Loop([*_STOP, _RELOAD, signal.SIGCHLD])
        self._started_at = time.monotonic()
        self._alive_at = 0.0
        self._report_by: dict[int, float] = {}
        self._processes = Processes(
            self._loop,
            environment={
                **os.environ,
                "LOG_FORMAT": "json" if self._as_json else "console",
                "METRICS_PORT": "0",  # the API shows those of all
                "PYTHONUNBUFFERED": "1",  # what an actor printed is not lost when it dies
            },
            listen_fd=listener.fileno(),
            on_line=lambda name, line: self._outlet.write(labelled(name, line, as_json=self._as_json)),
            on_heartbeat=self._heard,
            reports_deaths=settings.queue_backend != "sqlite",  # which knows by the kernel, and as soon
        )
        listener.setblocking(False)
        self._door = Door(listener, self._loop, time.monotonic, self._door_changed)
        crew = Crew(
            self._processes,
            limits=limits_of(settings),
            clock=time.monotonic,
            random=random.random,
            emit=self._emit,
        )
        self._supervisor = Supervisor(plan_of(settings, modules), crew)

    def run(self) -> int:
        """Run until told to stop, or until it makes no sense any more; return the exit code."""
        adopt_orphans()
        asked = self._directory.listen()
        self._loop.read(asked.fileno(), lambda: self._answer(asked))
        self._emit(
            events.SupervisorStarted(
                pid=os.getpid(),
                address=self._address,
                workers=self._settings.workers,
                run_directory=str(self._directory.path),
            )
        )
        self._supervisor.start()
        try:
            while not self._supervisor.is_over:
                self._turn()
        finally:
            self._processes.kill_all()
        self._emit(events.SupervisorStopped(exit_code=self._supervisor.exit_code))
        self._door.close()
        self._write_last_lines()
        asked.close()
        self._loop.close()
        return self._supervisor.exit_code

    def _turn(self) -> None:
        """Wait for something, and see to all that came of it."""
        self._loop.wait(self._supervisor.due_at() - time.monotonic())
        for number in self._loop.signals():
            self._on_signal(number)
        self._supervisor.act(time.time_ns() // 1_000_000)
        self._look_after_helpers()
        self._door.look(
            api_accepts=self._supervisor.api_accepts, api_is_expected=self._supervisor.api_is_expected
        )
        if self._outlet.is_waiting:
            self._loop.write(self._output, self._flush)
        self._notifier.status(self._summary())
        period_s = self._notifier.watchdog_s
        if period_s is not None and time.monotonic() - self._alive_at >= period_s / 3:
            self._alive_at = time.monotonic()
            self._notifier.alive()

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number in _STOP:
            self._supervisor.stop(signal.Signals(number).name)
        else:
            self._supervisor.reload()

    def _reap(self) -> None:
        for pid, code in reap():
            self._processes.ended(pid, code)
            reported = self._processes.helpers.pop(pid, None)
            if reported is not None:
                self._report_by.pop(pid, None)
                if code:
                    self._emit(events.DeathNotReported(pid=reported, end=f"exit code {code}"))
            elif not self._supervisor.ended(pid, code):
                self._emit(events.OrphanReaped(pid=pid))

    def _door_changed(self, is_answering: bool) -> None:
        if self._supervisor.state != "stopping":
            self._emit(events.ApiMissing() if is_answering else events.ApiBack())

    def _heard(self, pid: int, heartbeat: Heartbeat) -> None:
        self._supervisor.heard(pid, heartbeat)

    def _look_after_helpers(self) -> None:
        now = time.monotonic()
        for helper in self._processes.helpers:
            if now >= self._report_by.setdefault(helper, now + REPORT_WITHIN_S):
                self._processes.kill(helper)

    # -- saying so -------------------------------------------------------------------------------------

    def _emit(self, event: events.Event) -> None:
        events.log(event)
        match event:
            case events.SupervisorReady() | events.ReloadDone() | events.ReloadAborted():
                self._notifier.ready()
            case events.ReloadStarted():
                self._notifier.reloading()
            case events.SupervisorStopping():
                self._notifier.stopping()

    def _summary(self) -> str:
        states = [slot.state for slot in self._supervisor.slots]
        counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        return f"{self._supervisor.state}: {counts}"

    def _answer(self, asked: socket.socket) -> None:
        """Somebody asks how it is. The answer fits into the socket's buffer, so nobody is waited for."""
        with suppress(OSError):  # who asked has left
            line, _ = asked.accept()
            with line:
                line.setblocking(False)
                line.sendall(json.dumps(self._status()).encode())

    def _status(self) -> dict[str, object]:
        return document(
            self._supervisor,
            address=self._address,
            started_at=self._started_at,
            lines_dropped=self._outlet.lines_dropped,
            now=time.monotonic(),
            wall_ms=time.time_ns() // 1_000_000,
        )

    # -- output ----------------------------------------------------------------------------------------

    def _dropped(self, count: int) -> bytes:
        what = f"{count} log lines were dropped: whoever reads them was too slow"
        return labelled("up", what.encode(), as_json=self._as_json)

    def _flush(self) -> None:
        self._outlet.flush()
        if not self._outlet.is_waiting:
            self._loop.forget(self._output)

    def _write_last_lines(self) -> None:
        until = time.monotonic() + LAST_LINES_S
        while self._outlet.is_waiting and time.monotonic() < until:
            time.sleep(0.01)
            self._outlet.flush()


def run(settings: Settings, modules: Sequence[str]) -> int:
    """Supervise until told to stop; return the exit code.

    Raises:
      SupervisorError: it cannot start.
    """
    directory = RunDirectory(settings.run_directory)
    try:
        with listen(settings.api_host, settings.api_port) as listener:
            return Up(settings, modules, directory, listener).run()
    finally:
        directory.close()
