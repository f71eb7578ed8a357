"""A look at a file sees what `os.stat` sees."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from brokers.sqlite.glance import Glances


def test_it_sees_which_file_it_is_and_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "ação.db"
    path.touch()
    glances = Glances(path)
    first = glances.inode()
    os.utime(path, ns=(0, 1_234_567_890_123_456_789))
    assert glances.inode() == first == path.stat().st_ino
    assert glances.changed_ns() == 1_234_567_890_123_456_789

    (tmp_path / "other").touch()
    (tmp_path / "other").replace(path)
    assert glances.inode() == path.stat().st_ino != first


@pytest.mark.parametrize("look", [Glances.inode, Glances.changed_ns])
def test_what_is_not_there_is_an_error_that_names_it(tmp_path: Path, look: Callable[[Glances], int]) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        look(Glances(tmp_path / "nothing"))
