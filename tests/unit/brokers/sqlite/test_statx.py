"""A look at a file sees what `os.stat` sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brokers.sqlite.storage.statx import FileStatus


def test_it_sees_which_file_it_is_and_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "ação.db"
    path.touch()
    glances = FileStatus(path)
    first = glances.identity()
    assert first is not None
    os.utime(path, ns=(0, 1_234_567_890_123_456_789))
    assert glances.identity() == first
    assert (first[0], os.makedev(*first[1:])) == (path.stat().st_ino, path.stat().st_dev)
    assert glances.modified_ns() == 1_234_567_890_123_456_789

    (tmp_path / "other").touch()
    (tmp_path / "other").replace(path)
    assert glances.identity() not in {None, first}


def test_what_is_not_there_is_no_file(tmp_path: Path) -> None:
    glances = FileStatus(tmp_path / "nothing")
    assert glances.identity() is None
    with pytest.raises(FileNotFoundError, match="nothing"):
        glances.modified_ns()


def test_an_empty_file_is_none_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    glances = FileStatus(path)
    assert glances.identity() is not None
    assert glances.identity(unless_empty=True) is None
