"""Attachments are fetched once, kept or not, and not for ever."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from actors.conversation import Media, MediaError
from actors.media import MediaFolder, MediaLibrary, sweep
from actors.media import housekeeping as housekeeping_module
from actors.media.library import TEMPORARY
from brokers.clock import now_ms
from tests.support.attachments import ScriptedSource, a_message


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are in these tests."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource({"image/jpeg": b"content", "image/png": b"content"})


@pytest.fixture
def library(source: ScriptedSource) -> MediaLibrary:
    return MediaLibrary({"twilio": source})


def test_what_is_not_kept_is_there_until_the_answer_is(
    library: MediaLibrary, source: ScriptedSource, temporary: Path
) -> None:
    with library.opened() as attachments:
        [picture] = attachments.of(a_message("image/jpeg"), at_ms=now_ms())
        fetched = picture.fetch()
        assert picture.fetch() is fetched
        assert fetched.read() == b"content"

    assert len(source.fetched) == 1
    assert not fetched.path.exists()
    assert list(temporary.iterdir()) == []
    with pytest.raises(MediaError, match="gone"):
        attachments.of(a_message("image/png"), at_ms=now_ms())[0].fetch()


def test_what_is_not_fetched_costs_nothing(library: MediaLibrary, temporary: Path) -> None:
    with library.opened() as attachments:
        attachments.of(a_message("image/jpeg"), at_ms=now_ms())
        assert list(temporary.iterdir()) == []


def test_what_is_kept_is_fetched_once_for_all(source: ScriptedSource, tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path / "media", retention_s=100.0)
    library, message = MediaLibrary({"twilio": source}, folder=folder), a_message("image/jpeg")

    for _ in range(2):
        with library.opened() as attachments:
            fetched = attachments.of(message, at_ms=now_ms())[0].fetch()

    assert fetched.read() == b"content"
    assert fetched.content_type == "image/jpeg"
    assert len(source.fetched) == 1


def test_an_error_is_the_answer_for_the_whole_turn(library: MediaLibrary, source: ScriptedSource) -> None:
    source.contents.clear()
    with library.opened() as attachments:
        [picture] = attachments.of(a_message("image/jpeg"), at_ms=now_ms())
        for _ in range(2):
            with pytest.raises(MediaError, match="answered 404"):
                picture.fetch()

    assert len(source.fetched) == 1


def test_a_message_that_came_long_ago_is_not_waited_for(
    library: MediaLibrary, source: ScriptedSource
) -> None:
    with library.opened() as attachments:
        attachments.of(a_message("image/jpeg"), at_ms=now_ms())[0].fetch()
        attachments.of(a_message("image/jpeg"), at_ms=now_ms() - 61_000)[0].fetch()

    assert source.were_new == [True, False]


def test_all_of_a_turn_together_have_one_time(source: ScriptedSource) -> None:
    with MediaLibrary({"twilio": source}, timeout_s=0.0).opened() as attachments:
        first, second = attachments.of(a_message("image/jpeg", "image/png"), at_ms=now_ms())
        for each in (first, second):
            with pytest.raises(MediaError, match="together took longer than 0 s"):
                each.fetch()

    with MediaLibrary({"twilio": source}, timeout_s=100.0).opened() as attachments:
        first, second = attachments.of(a_message("image/jpeg", "image/png"), at_ms=now_ms())
        first.fetch()
        second.fetch()
    one, another = source.times_s
    assert another < one <= 100.0


def test_without_credentials_nothing_can_be_fetched() -> None:
    with MediaLibrary().opened() as attachments:
        [picture] = attachments.of(a_message("image/jpeg"), at_ms=now_ms())
        with pytest.raises(MediaError, match="no credentials"):
            picture.fetch()


def test_a_folder_that_cannot_be_made_is_an_error_of_the_attachment(
    source: ScriptedSource, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = MediaFolder(tmp_path / "file" / "media", retention_s=100.0)
    with MediaLibrary({"twilio": source}, folder=folder).opened() as attachments:
        [picture] = attachments.of(a_message("image/jpeg"), at_ms=now_ms())
        with pytest.raises(MediaError, match="cannot be written to the disk"):
            picture.fetch()


def test_media_without_a_way_to_fetch_them_say_so() -> None:
    with pytest.raises(MediaError, match="no way"):
        Media("image/jpeg", "https://example.com/a").fetch()


# -- housekeeping ----------------------------------------------------------------------------------------


def test_housekeeping_deletes_what_is_due(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path
) -> None:
    folder = MediaFolder(tmp_path / "media", retention_s=-1.0)
    with folder.adding("AC1.MM1", 0) as (part, whole):
        part.write_bytes(b"content")
    left_over, other = temporary / f"{TEMPORARY}x", temporary / "other"
    for each in (left_over, other):
        each.mkdir()
        (each / "file").write_bytes(b"")

    sweep(folder)
    assert not whole.exists()
    assert left_over.exists(), "it may be in use"
    monkeypatch.setattr(housekeeping_module, "LEFT_OVER_S", -1.0)
    sweep(folder)

    assert not left_over.exists()
    assert other.exists()
