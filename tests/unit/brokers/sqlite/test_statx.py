"""A look at a file sees what `os.stat` sees."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from brokers.sqlite.storage.statx import DirectoryChanges, FileStatus


def test_it_sees_which_file_it_is_and_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "ação.db"
    path.touch()
    status = FileStatus(path)
    first = status.identity()
    assert first is not None
    os.utime(path, ns=(0, 1_234_567_890_123_456_789))
    assert status.identity() == first
    assert (first[0], os.makedev(*first[1:])) == (path.stat().st_ino, path.stat().st_dev)
    assert status.modified_ns() == 1_234_567_890_123_456_789

    (tmp_path / "other").touch()
    (tmp_path / "other").replace(path)
    assert status.identity() not in {None, first}


def test_what_is_not_there_is_no_file(tmp_path: Path) -> None:
    status = FileStatus(tmp_path / "nothing")
    assert status.identity() is None
    with pytest.raises(FileNotFoundError, match="nothing"):
        status.modified_ns()


def test_an_empty_file_is_none_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    status = FileStatus(path)
    assert status.identity() is not None
    assert status.identity(unless_empty=True) is None


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_a_sandbox_that_refuses_the_call_changes_no_answer(tmp_path: Path, code: int) -> None:
    """Which file it is is written to disk, so two processes of which one is in a sandbox must agree."""
    path = tmp_path / "file"
    path.touch()

    def refuse(*_: object) -> int:
        ctypes.set_errno(code)
        return -1

    found, refused = FileStatus(path), FileStatus(path)
    refused._statx = refuse
    assert refused.identity() == found.identity()
    assert refused.modified_ns() == found.modified_ns()


def test_an_error_of_the_file_system_is_raised(tmp_path: Path) -> None:
    status = FileStatus(tmp_path / "file" / ("x" * 300))
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="too long"):
        status.identity()


def test_a_change_of_a_directory_is_known_once_it_is_settled(tmp_path: Path) -> None:
    changes = DirectoryChanges(tmp_path)
    (tmp_path / "one").touch()
    young = changes.latest()
    assert young is not None
    changes.know(young)
    assert changes.latest() == young, "another change may carry the same time"

    os.utime(tmp_path, ns=(young - 10**9, young - 10**9))
    old = changes.latest()
    assert old is not None
    changes.know(old)
    assert changes.latest() is None

    for change in ((tmp_path / "one").unlink, (tmp_path / "two").touch):
        change()
        latest = changes.latest()
        assert latest is not None
        assert latest > old
