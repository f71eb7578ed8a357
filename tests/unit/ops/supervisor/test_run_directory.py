"""One supervisor for one run directory, and the socket in it."""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ops.supervisor.errors import AlreadyRunning, RunDirectoryUnusable, Unreachable
from ops.supervisor.process.run_directory import RunDirectory
from ops.supervisor.status.status_client import fetch_status, fetch_status_if_any
from ops.supervisor.status.status_socket import StatusSocket

STATUS = {"supervisor": {"pid": 1}}


def test_a_second_one_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    first = RunDirectory(tmp_path / "run")
    with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}") as refused:
        RunDirectory(tmp_path / "run")
    assert refused.value.exit_code == 4
    first.close()
    RunDirectory(tmp_path / "run").close()


@pytest.mark.parametrize("name", ["run", "long" * 30])
def test_the_socket_is_its_owners_alone_and_answers_however_long_its_path(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)  # as RUN_DIRECTORY may be, from the current directory
    path.mkdir()
    with closing(StatusSocket(path, lambda: STATUS)) as status_socket:
        assert stat.S_IMODE((path / "supervisor.sock").stat().st_mode) == 0o600
        server = threading.Thread(target=_answer_once, args=(status_socket,))
        server.start()
        assert fetch_status(path, timeout_s=30) == STATUS
        server.join()
    assert not (path / "supervisor.sock").exists()


def _answer_once(status_socket: StatusSocket) -> None:
    select.select([status_socket], [], [], 30)
    status_socket.answer()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "supervisor.sock").touch()
    with closing(StatusSocket(tmp_path, lambda: STATUS)), pytest.raises(Unreachable):
        fetch_status(tmp_path, timeout_s=0.05)  # nothing answers in time


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, Path.exists])
def test_where_nobody_is_nobody_answers(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "run")
    with pytest.raises(Unreachable, match="Is `recado up` running"):
        fetch_status(tmp_path / "run", timeout_s=1)
    assert fetch_status_if_any(tmp_path / "run") is None


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryUnusable, match="Not a directory"):
        RunDirectory(tmp_path / "file" / "run")


def test_a_directory_that_is_gone_has_no_socket(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryUnusable, match="No such file"):
        StatusSocket(tmp_path / "gone", lambda: STATUS)
