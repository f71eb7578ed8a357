"""One supervisor for one run directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.supervisor.directory import RunDirectory, ask
from ops.supervisor.errors import AlreadyRunning, RunDirectoryUnusable, Unreachable


def test_a_second_one_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    first = RunDirectory(tmp_path / "run")
    with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}") as refused:
        RunDirectory(tmp_path / "run")
    assert refused.value.exit_code == 4
    first.close()
    RunDirectory(tmp_path / "run").close()


def test_the_socket_is_its_owners_alone_however_long_its_path(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 30)
    directory = RunDirectory(path)
    with directory.listen():
        assert stat.S_IMODE((path / "supervisor.sock").stat().st_mode) == 0o600
    directory.close()
    assert not (path / "supervisor.sock").exists()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "supervisor.sock").touch()
    directory = RunDirectory(tmp_path)
    with directory.listen() as listener:
        listener.setblocking(True)
        with pytest.raises(Unreachable):
            ask(tmp_path, timeout_s=0.05)  # nobody answers in time
    directory.close()


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, Path.exists])
def test_where_nobody_is_nobody_answers(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "run")
    with pytest.raises(Unreachable, match="Is `recado up` running"):
        ask(tmp_path / "run", timeout_s=1)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryUnusable, match="Not a directory"):
        RunDirectory(tmp_path / "file" / "run")
