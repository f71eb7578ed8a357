"""A folder of attachments: names that say nothing, whole files, and no longer than they may be kept."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from actors.media import MediaFolder
from actors.media.folder import PART_S

MESSAGE = "AC1.MM../../etc/passwd"


class Clock:
    """Seconds since the epoch, and however many a test adds."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        import time

        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> MediaFolder:
    return MediaFolder(tmp_path / "media", retention_s=100_000, clock=clock)


def keep(folder: MediaFolder, number: int = 0, content: bytes = b"content") -> Path:
    with folder.adding(MESSAGE, number) as (part, whole):
        part.write_bytes(content)
    return whole


def test_what_was_added_is_found(folder: MediaFolder) -> None:
    assert folder.find(MESSAGE, 0) is None

    path = keep(folder)

    assert folder.find(MESSAGE, 0) == (path, 7)
    assert folder.find(MESSAGE, 1) is None
    assert folder.find("AC1.MM2", 0) is None


def test_an_empty_file_is_none(folder: MediaFolder) -> None:
    keep(folder, content=b"")

    assert folder.find(MESSAGE, 0) is None


def test_names_say_nothing(folder: MediaFolder, tmp_path: Path) -> None:
    path = keep(folder)

    assert path.parent == tmp_path / "media"
    assert re.fullmatch("[0-9a-f]{40}-0.media", path.name)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_attachments_of_a_message_can_be_deleted(folder: MediaFolder) -> None:
    for number in range(3):
        keep(folder, number)
    with folder.adding("AC1.MM2", 0) as (part, _):
        part.write_bytes(b"another's")

    assert folder.delete(MESSAGE) == 3
    assert folder.delete(MESSAGE) == 0

    assert folder.find(MESSAGE, 0) is None
    assert folder.find("AC1.MM2", 0) is not None


def test_what_fails_leaves_nothing(folder: MediaFolder, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), folder.adding(MESSAGE, 0) as (part, _):
        part.with_name("another").write_bytes(b"half")
    (tmp_path / "media" / "another").unlink()

    assert folder.find(MESSAGE, 0) is None
    assert list((tmp_path / "media").iterdir()) == []


def test_what_was_kept_for_its_time_is_deleted(folder: MediaFolder, clock: Clock, tmp_path: Path) -> None:
    keep(folder)
    (tmp_path / "media" / "somebody else's").write_bytes(b"")

    clock.ahead_s = 99_000
    assert folder.sweep() == 0
    clock.ahead_s = 101_000
    assert folder.sweep() == 1

    assert folder.find(MESSAGE, 0) is None
    assert [path.name for path in (tmp_path / "media").iterdir()] == ["somebody else's"]


def test_what_a_crash_left_half_written_is_deleted(folder: MediaFolder, clock: Clock, tmp_path: Path) -> None:
    keep(folder)
    left = tmp_path / "media" / "0123-4567.part"
    left.write_bytes(b"half")

    assert folder.sweep() == 0
    clock.ahead_s = PART_S + 1
    assert folder.sweep() == 1

    assert not left.exists()


def test_a_folder_that_is_not_there_yet_has_nothing_to_delete(folder: MediaFolder) -> None:
    assert folder.sweep() == 0
