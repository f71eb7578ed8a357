"""`recado status`, and what else can be seen of a supervisor."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from brokers.sqlite import SQLiteBackend
from tests.support.messages import claimed, stats_of, stored
from tests.support.metrics import documented, shown
from tests.support.processes import Process
from tests.support.service_manager import ServiceManager
from tests.support.system import BIN, PATIENCE_S, ROOT
from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE
from .stage import Stage, kill

MODULE = ("--module", "tests.supervisor.misbehaving_actors")


def test_the_status_names_everything(stage: Stage) -> None:
    up = stage.up(*MODULE)
    kill(up.pids()["worker-2"])
    eventually(lambda: up.children()["worker-2"]["restarts"] == 1)
    up.wait_until_ready()
    message = stage.enqueue(QUEUE, "take_time", "long", 60.0)
    eventually(lambda: any(child["oldest_job"] for child in up.children("worker").values()))

    shown = stage.run("status")
    told = json.loads(stage.run("status", "--json").stdout)

    assert shown.returncode == 0
    for name, pid in up.pids().items():
        [line] = [line for line in shown.stdout.splitlines() if f" {name} " in line]
        assert str(pid) in line
        assert "ready" in line
    assert "SIGKILL" in shown.stdout
    assert f"take_time {message[:8]}" in shown.stdout
    assert told["supervisor"]["pid"] == up.pid
    assert told["supervisor"]["rss_bytes"] > 0
    [busy] = [child for child in told["children"] if child["oldest_job"]]
    assert (busy["running"], busy["oldest_job"]["message_id"]) == (1, message)
    assert busy["rss_bytes"] > 10_000_000
    assert stat.S_IMODE((stage.directory / "run" / "supervisor.sock").stat().st_mode) == 0o600


def test_nobody_there_is_said_clearly(stage: Stage) -> None:
    for arguments in ((), ("--json",), ("--watch",)):
        ended = stage.run("status", *arguments)
        assert ended.returncode == 1
        assert "No supervisor answers on run. Is `recado up` running" in ended.stdout
        assert "Traceback" not in ended.stderr


def _read(terminal: int) -> bytes:
    """Read what a program shows next; fail when it shows nothing for too long."""
    readable, _, _ = select.select([terminal], [], [], PATIENCE_S)
    assert readable, f"the program showed nothing for {PATIENCE_S:g} s"
    return os.read(terminal, 65536)


def test_it_can_be_watched(stage: Stage) -> None:
    up = stage.up()
    ours, theirs = pty.openpty()
    watch = subprocess.Popen(
        [str(BIN / "recado"), "status", "--watch"],
        cwd=stage.directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **stage.settings},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        seen = b""
        while seen.count(b"api-1") < 2:  # it was shown, and shown again
            seen += _read(ours)
        assert str(up.pids()["api-1"]).encode() in seen
        watch.send_signal(signal.SIGINT)
        with suppress(OSError):  # the terminal's other end closes
            while _read(ours):
                pass
        assert watch.wait(20) == 0
    finally:
        watch.kill()
        watch.wait()
        os.close(ours)


def test_systemd_is_told(make_stage: MakeStage, tmp_path: Path) -> None:
    stage = make_stage()
    with ServiceManager(tmp_path / "notify") as manager:
        up = stage.up(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="3000000")
        manager.wait_for("READY=1")
        manager.wait_for("STATUS=running: 3 ready")
        manager.wait_for("WATCHDOG=1")
        up.signal(signal.SIGHUP)
        manager.wait_for("RELOADING=1\nMONOTONIC_USEC=")
        manager.wait_for("READY=1")
        up.signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert up.wait() == 0


def test_nobody_waits_for_a_reader_that_does_not_read(stage: Stage) -> None:
    """Its own output blocks. Children are looked after all the same, and not stopped by their own output."""
    (stage.directory / "chatter.py").write_text(
        "import sys, threading\n"
        "def chatter():\n"
        "    for _ in range(300):\n"
        "        sys.stderr.write('x' * 20_000 + '\\n')\n"
        "threading.Thread(target=chatter).start()\n"
    )
    read, write = os.pipe()
    up = subprocess.Popen(
        [str(BIN / "recado"), "up", "--module", "chatter"],
        cwd=stage.directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), **stage.settings},
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=write,
    )
    os.close(write)
    try:

        def status() -> dict[str, object]:
            told = stage.run("status", "--json").stdout
            supervisor: dict[str, object] = json.loads(told)["supervisor"] if told.startswith("{") else {}
            return supervisor

        eventually(lambda: status().get("log_lines_dropped"), within_s=60, every_s=0.2)
        eventually(lambda: status().get("state") == "running", within_s=60, every_s=0.2)
        up.terminate()
        assert up.wait(60) == 0
    finally:
        up.kill()
        up.wait()
        os.close(read)


@pytest.mark.parametrize(
    "module",
    [
        "ops.supervisor.child.report_death",
        pytest.param("ops.supervisor.obituary", id="started by a supervisor of version 0.1.0"),
    ],
)
def test_a_workers_death_is_reported_by_a_process_of_its_own(tmp_path: Path, module: str) -> None:
    """The queue has its messages back at once, and the reporter leaves nothing behind."""
    with Process(_hold_a_message, tmp_path / "queue.db") as holder:
        assert holder.receive() == "held"
        holder.kill()

        subprocess.run(
            [sys.executable, "-m", module, str(holder.pid)],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "RECADO_SUPERVISOR": str(os.getpid()),
                "RECADO_SLOT": "report-death",
                "RECADO_HEARTBEAT_FD": "-1",
                "RECADO_LISTEN_FD": "-1",
            },
            check=True,
            timeout=60,
        )

    assert [path for path in (tmp_path / "queue.db-run").iterdir() if path.suffix == ".lock"] == []
    backend = SQLiteBackend(tmp_path / "queue.db")
    assert stats_of(backend).ready == 1
    backend.close()


def _hold_a_message(channel: object, path: Path) -> None:
    backend = SQLiteBackend(path)
    stored(backend)
    backend.started(claimed(backend))
    channel.send("held")  # type: ignore[attr-defined]
    channel.recv()  # type: ignore[attr-defined]


NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param((), id="below another"),
        pytest.param(
            NAMESPACE,
            id="as process 1",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="a process 1 of one's own needs root"),
        ),
    ],
)
def test_orphans_are_waited_for(stage: Stage, inside: tuple[str, ...]) -> None:
    (stage.directory / "orphans.py").write_text(
        "import subprocess\n"
        "for _ in range(5):\n"
        "    subprocess.run(['sh', '-c', 'sleep 0.2 &'], start_new_session=True)\n"
    )
    up = stage.begin("--module", "orphans", inside=inside, LOG_LEVEL="DEBUG")
    up.wait_until_ready()
    assert (up.status()["supervisor"]["pid"] == 1) == bool(inside)

    eventually(lambda: len(up.said("a process ended that a child had left behind")) == 10)


def test_what_a_child_started_does_not_outlive_it(stage: Stage) -> None:
    (stage.directory / "families.py").write_text("import subprocess\nsubprocess.Popen(['sleep', '600'])\n")
    up = stage.up("--module", "families")
    assert len(up.processes()) == 5

    kill(up.pids()["worker-1"])
    eventually(lambda: up.children()["worker-1"]["restarts"] == 1)
    up.wait_until_ready()
    eventually(lambda: len(up.processes()) == 5)

    assert up.terminate() == 0
    assert not up.processes()


def test_metrics_tell_what_runs_and_why_what_was_replaced_went(stage: Stage) -> None:
    up = stage.up(*MODULE)
    kill(up.pids()["worker-2"])
    eventually(lambda: stage.metric("recado_supervisor_restarts_total", kind="worker", reason="killed") == 1)
    up.wait_until_ready()
    up.signal(signal.SIGHUP)
    eventually(lambda: stage.metric("recado_supervisor_restarts_total", kind="api", reason="reload") == 1)
    up.wait_until_ready()

    assert stage.metric("recado_supervisor_children", kind="worker", state="ready") == 2
    assert stage.metric("recado_supervisor_workers_wanted") == 2
    assert 0 < stage.metric("recado_supervisor_process_memory_bytes", process="supervisor") < 100_000_000
    page = shown(stage.url)
    supervised = {name: kind for name, kind in documented().items() if name.startswith("recado_supervisor_")}
    assert {name: kind for name, kind in page.items() if name.startswith("recado_supervisor_")} == supervised
    lines = stage.http.get(stage.url + "/metrics").text.splitlines()
    heartbeats = [line for line in lines if line.startswith("recado_worker_heartbeat_timestamp_seconds{")]
    assert len(heartbeats) == 2, "the dead tell nothing"


def test_children_and_supervisor_write_lines_of_one_shape(stage: Stage) -> None:
    up = stage.up()
    stage.write("Oi", sender=stage.contact())
    stage.settle()
    assert up.terminate() == 0

    lines = [json.loads(line) for line in up.log.splitlines()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    [sent] = [line for line in lines if line["event"] == "reply sent"]
    same_request = [line for line in lines if line.get("request_id") == sent["request_id"]]
    assert {line["child"].partition("-")[0] for line in same_request} == {"api", "worker"}
    assert [line["event"] for line in same_request if line["event"] == "message received"]


def test_what_a_running_system_writes_is_its_owners(stage: Stage) -> None:
    """Messages of customers are in it."""
    up = stage.up()
    stage.write("Oi", sender=stage.contact())
    eventually(stage.replies)

    made = [
        path
        for path in stage.directory.rglob("*")
        if not path.is_relative_to(stage.directory / "metrics") and not path.name.endswith("-up.log")
    ]
    assert {"queue.db", "conversations.db", "outbox.jsonl", "supervisor.lock"} <= {path.name for path in made}
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in made if path.stat().st_mode & 0o077} == {}
    assert up.terminate() == 0
