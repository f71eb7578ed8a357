"""Which process may be killed, and which never."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

import pytest

from api.dashboard.try_it.workers import NoSuchWorker, WorkerProcesses

OWN = os.getpid()


def child(name: str, pid: int | None, *, kind: str = "worker", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "pid": pid, "state": "ready", "restarts": 0, **more}


def status(*children: Mapping[str, Any]) -> dict[str, Any]:
    return {"children": list(children)}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[signal.Signals]:
    """The signals that would have been sent, to this process: it stands for the worker."""
    signals: list[signal.Signals] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda _fd, number: signals.append(number))
    monkeypatch.setattr(os, "kill", lambda _pid, number: signals.append(number))
    return signals


@pytest.mark.parametrize("is_linux", [True, False], ids=["linux", "elsewhere"])
def test_a_worker_of_the_supervisor_is_killed(
    sent: list[signal.Signals], monkeypatch: pytest.MonkeyPatch, is_linux: bool
) -> None:
    if not is_linux:
        monkeypatch.delattr(os, "pidfd_open")
    workers = WorkerProcesses(lambda: status(child("worker-1", OWN)))

    workers.kill("worker-1", OWN)
    assert sent == [signal.SIGKILL]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        status(),
        status(child("worker-1", None)),
        status(child("worker-1", OWN + 1)),
        status(child("worker-2", OWN)),
        status(child("worker-1", OWN, kind="api")),
    ],
    ids=["no supervisor", "no children", "not running", "another pid", "another name", "the API"],
)
def test_no_other_process_is_killed(sent: list[signal.Signals], answer: dict[str, Any] | None) -> None:
    with pytest.raises(NoSuchWorker):
        WorkerProcesses(lambda: answer).kill("worker-1", OWN)
    assert sent == []


@pytest.mark.parametrize("pid", [0, -1, 2**40])
def test_what_is_no_process_id_is_refused(sent: list[signal.Signals], pid: int) -> None:
    with pytest.raises(NoSuchWorker):
        WorkerProcesses(lambda: status(child("worker-1", pid))).kill("worker-1", pid)
    assert sent == []


def test_without_a_supervisor_none_are_known(sent: list[signal.Signals]) -> None:
    workers = WorkerProcesses(None)

    assert workers.listed() is None
    assert workers.on("m", within_s=0.01) is None
    with pytest.raises(NoSuchWorker):
        workers.kill("worker-1", OWN)
    assert sent == []


def test_a_worker_counts_as_in_the_middle_once_it_waits_for_the_model() -> None:
    def job(running_s: float) -> dict[str, Any]:
        return {"message_id": "m", "actor": "process_ai_response", "running_s": running_s, "limit_s": None}

    answers = iter(
        [
            status(child("worker-1", 11, running=1, oldest_job=job(0.01)), child("worker-2", 12)),
            status(child("worker-1", 11), child("worker-2", 12)),
            status(child("worker-1", 11), child("worker-2", 12, running=1, oldest_job=job(0.5))),
        ]
    )
    worker = WorkerProcesses(lambda: next(answers)).on("m", within_s=10)

    assert worker is not None
    assert (worker.name, worker.pid) == ("worker-2", 12)
