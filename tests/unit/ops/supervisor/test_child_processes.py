"""The processes of the children, on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from ops.supervisor.control.slot import Slot
from ops.supervisor.policy.child_spec import ChildSpec
from ops.supervisor.process.child_processes import REPORT_DEATH, ChildProcesses
from ops.supervisor.process.event_loop import EventLoop
from ops.supervisor.protocol.heartbeat import Heartbeat
from tests.support.waiting import eventually

pytestmark = pytest.mark.starts_processes


class Heard:
    """Records what processes wrote, and how they ended."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self.beats: list[Heartbeat] = []
        self.ends: dict[int, int] = {}
        self.loop = EventLoop([])
        self.processes = ChildProcesses(
            self.loop,
            environment=os.environ,
            listen_fd=0,
            on_line=lambda name, line: self.lines.append((name, line)),
            on_heartbeat=lambda _, heartbeat: self.beats.append(heartbeat),
            reports_deaths=True,
        )

    def goes_on(self) -> None:
        self.loop.wait(0.05)
        for pid in list(self.processes._running):  # not `reap`: this process has other children, too
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self.ends[pid] = os.waitstatus_to_exitcode(status)
                self.processes.process_ended(pid, self.ends[pid])


def run(begin: Callable[[ChildProcesses], int | None]) -> Heard:
    """Begin a process, and wait until it has ended."""
    heard = Heard()
    try:
        begin(heard.processes)

        def is_over() -> bool:
            heard.goes_on()
            return bool(heard.ends)

        eventually(is_over)
    finally:
        heard.processes.kill_all()
        heard.loop.close()
    return heard


def test_a_child_is_heard_to_its_end() -> None:
    line = Heartbeat("ready", done=3).encode()
    program = (
        f"import os; os.write(int(os.environ['RECADO_HEARTBEAT_FD']), {line!r});"
        "print('hello', os.environ['RECADO_SLOT'], end=''); raise SystemExit(7)"
    )
    slot = Slot(ChildSpec("worker", (sys.executable, "-c", program)), 4, lambda: 1.0)

    heard = run(lambda processes: processes.start(slot))

    assert heard.lines == [("worker-4", b"hello worker-4")]
    assert heard.beats == [Heartbeat("ready", done=3)]
    assert list(heard.ends.values()) == [7]


def test_a_child_learns_whether_another_one_serves() -> None:
    program = (
        "from ops.supervisor.protocol.child_environment import ChildEnvironment;"
        "print(ChildEnvironment.of_this_process().another_serves)"
    )
    slot = Slot(ChildSpec("api", (sys.executable, "-c", program)), 2, lambda: 1.0)
    slot.another_serves = True

    heard = run(lambda processes: processes.start(slot))

    assert heard.lines == [("api-2", b"True")]


def test_who_reports_a_death_is_heard_to_its_end_too() -> None:
    heard = run(lambda processes: processes.report_death(0x7FFFFFFF))

    assert [name for name, _ in heard.lines if name != REPORT_DEATH] == []
    assert list(heard.processes.helpers) == list(heard.ends)
