"""`recado up`: puts the parts of the supervisor together, and runs them."""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any, TextIO, cast

from ops.foundation.logging import configure_logging, writes_json
from ops.foundation.settings import Settings

from .control import lifecycle_events as events
from .control.children import Children
from .control.plan import limits_of, plan_of
from .control.supervisor import Supervisor
from .operating_system import adopt_orphans, reap
from .output.lines import labelled
from .output.outlet import Outlet, OutletStream
from .process.api_socket import FallbackServer, listen, url_of
from .process.child_processes import ChildProcesses
from .process.event_loop import EventLoop
from .process.run_directory import RunDirectory
from .process.systemd import SystemdNotifier
from .protocol.heartbeat import Heartbeat
from .status.status_document import status_document
from .status.status_socket import StatusSocket

#: How long the last log lines may take to be written, in seconds.
LAST_LINES_S = 1.0

#: How long a helper may take to report a death, in seconds. Then the supervisor kills it.
REPORT_WITHIN_S = 10.0

_STOP, _RELOAD = {signal.SIGTERM, signal.SIGINT}, signal.SIGHUP


class Up:
    """Connects a supervisor with the signals, processes and sockets of this machine.

    Parameters:
      settings: the settings, which are valid.
      modules: Python modules that the workers import too.
      directory: the run directory, which this process holds.
      listener: the API's listening socket.
    """

    def __init__(
        self, settings: Settings, modules: Sequence[str], directory: RunDirectory, listener: socket.socket
    ) -> None:
        self._as_json = writes_json(settings)
        self._output_fd = sys.stderr.fileno()
        self._outlet = Outlet(self._output_fd, self._dropped)
        # The supervisor's own log lines must not wait for their reader either.
        sys.stderr = cast(TextIO, OutletStream(self._outlet, is_terminal=sys.stderr.isatty()))
        configure_logging(settings)
        self._settings = settings
        self._url = url_of(listener)
        self._directory = directory
        self._notifier = SystemdNotifier()
        self._loop = EventLoop([*_STOP, _RELOAD, signal.SIGCHLD])
        self._started_at = time.monotonic()
        self._watchdog_told_at = 0.0
        self._helper_deadlines: dict[int, float] = {}
        self._processes = ChildProcesses(
            self._loop,
            environment={
                **os.environ,
                "LOG_FORMAT": "json" if self._as_json else "console",
                "METRICS_PORT": "0",  # the API shows the metrics of all processes
                "PYTHONUNBUFFERED": "1",  # what an actor printed before its process died is not lost
            },
            listen_fd=listener.fileno(),
            on_line=lambda name, line: self._outlet.write(labelled(name, line, as_json=self._as_json)),
            on_heartbeat=self._on_heartbeat,
            reports_deaths=settings.queue_backend != "sqlite",  # SQLite learns of a death from the kernel
        )
        listener.setblocking(False)
        self._fallback = FallbackServer(listener, self._loop, time.monotonic, self._fallback_changed)
        children = Children(
            self._processes,
            limits=limits_of(settings),
            clock=time.monotonic,
            random=random.random,
            emit=self._emit,
        )
        self._supervisor = Supervisor(plan_of(settings, modules), children)

    def run(self) -> int:
        """Run until the supervisor has stopped; return the exit code."""
        adopt_orphans()
        with closing(StatusSocket(self._directory.path, self._status)) as status_socket:
            self._loop.watch_reads(status_socket.fileno(), status_socket.answer)
            self._emit(
                events.SupervisorStarted(
                    pid=os.getpid(),
                    address=self._url,
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
            self._fallback.close()
            self._write_last_lines()
        self._loop.close()
        return self._supervisor.exit_code

    def _turn(self) -> None:
        """Wait until something happens, and do what follows."""
        self._loop.wait(self._supervisor.due_at() - time.monotonic())
        for number in self._loop.take_signals():
            self._on_signal(number)
        self._supervisor.do_what_is_due(time.time_ns() // 1_000_000)
        self._kill_late_helpers()
        self._fallback.update(
            api_accepts=self._supervisor.api_accepts, api_is_expected=self._supervisor.api_is_expected
        )
        if self._outlet.is_waiting:
            self._loop.watch_writes(self._output_fd, self._flush)
        self._tell_service_manager()

    def _on_heartbeat(self, pid: int, heartbeat: Heartbeat) -> None:
        self._supervisor.heartbeat_received(pid, heartbeat)

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number in _STOP:
            self._supervisor.stop(signal.Signals(number).name)
        else:
            self._supervisor.reload()

    def _reap(self) -> None:
        for pid, code in reap():
            self._processes.process_ended(pid, code)
            dead_worker = self._processes.helpers.pop(pid, None)
            if dead_worker is not None:
                self._helper_deadlines.pop(pid, None)
                if code:
                    self._emit(events.DeathNotReported(pid=dead_worker, end=f"exit code {code}"))
            elif not self._supervisor.process_ended(pid, code):
                self._emit(events.OrphanReaped(pid=pid))

    def _kill_late_helpers(self) -> None:
        now = time.monotonic()
        for helper in self._processes.helpers:
            if now >= self._helper_deadlines.setdefault(helper, now + REPORT_WITHIN_S):
                self._processes.kill(helper)

    def _fallback_changed(self, is_answering: bool) -> None:
        if self._supervisor.state != "stopping":
            self._emit(events.ApiMissing() if is_answering else events.ApiBack())

    # -- the state, for the log, the service manager and the status socket -----------------------------

    def _emit(self, event: events.Event) -> None:
        events.log(event)
        match event:
            case events.SupervisorReady() | events.ReloadDone() | events.ReloadAborted():
                self._notifier.ready()
            case events.ReloadStarted():
                self._notifier.reloading()
            case events.SupervisorStopping():
                self._notifier.stopping()

    def _tell_service_manager(self) -> None:
        states = [slot.state for slot in self._supervisor.slots]
        counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        self._notifier.status(f"{self._supervisor.state}: {counts}")
        period_s = self._notifier.watchdog_s
        if period_s is not None and time.monotonic() - self._watchdog_told_at >= period_s / 3:
            self._watchdog_told_at = time.monotonic()
            self._notifier.alive()

    def _status(self) -> dict[str, Any]:
        return status_document(
            self._supervisor,
            address=self._url,
            started_at=self._started_at,
            lines_dropped=self._outlet.lines_dropped,
            now=time.monotonic(),
            wall_ms=time.time_ns() // 1_000_000,
        )

    # -- output ----------------------------------------------------------------------------------------

    def _dropped(self, count: int) -> bytes:
        text = f"{count} log lines were dropped: their reader was too slow"
        return labelled("up", text.encode(), as_json=self._as_json)

    def _flush(self) -> None:
        self._outlet.flush()
        if not self._outlet.is_waiting:
            self._loop.unwatch(self._output_fd)

    def _write_last_lines(self) -> None:
        until = time.monotonic() + LAST_LINES_S
        while self._outlet.is_waiting and time.monotonic() < until:
            time.sleep(0.01)
            self._outlet.flush()


def run(settings: Settings, modules: Sequence[str]) -> int:
    """Run the supervisor until it is told to stop; return the exit code.

    Raises:
      SupervisorError: the supervisor cannot start.
    """
    with (
        closing(RunDirectory(settings.run_directory)) as directory,
        listen(settings.api_host, settings.api_port) as listener,
    ):
        return Up(settings, modules, directory, listener).run()
