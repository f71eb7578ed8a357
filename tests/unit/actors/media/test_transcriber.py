"""Voice notes are written down by a model, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.conversation import FetchedMedia, MediaError
from actors.media.transcriber import OpenAITranscriber
from tests.fakes.model import FakeModel
from tests.support.ports import free_port

PATIENCE_S = 30.0


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as model:
        yield model


@pytest.fixture
def transcriber(model: FakeModel) -> OpenAITranscriber:
    return OpenAITranscriber(base_url=model.url, api_key="sk-1", model="a-listener")


@pytest.fixture
def note(tmp_path: Path) -> FetchedMedia:
    path = tmp_path / "note"
    path.write_bytes(b"OggS" + bytes(100_000))
    return FetchedMedia(path, "audio/ogg", 100_004)


def test_what_is_said_is_written_down(
    transcriber: OpenAITranscriber, model: FakeModel, note: FetchedMedia
) -> None:
    model.hears = "quero dois pães"

    assert transcriber.transcribe(note, timeout_s=PATIENCE_S) == "quero dois pães"
    [heard] = model.heard
    assert (heard.model, heard.name, heard.content_type) == ("a-listener", "voice.ogg", "audio/ogg")
    assert heard.content == note.read()


@pytest.mark.parametrize("status", [429, 503])
def test_what_passes_is_tried_again(
    transcriber: OpenAITranscriber, model: FakeModel, note: FetchedMedia, status: int
) -> None:
    model.refuse("audio", status)

    assert transcriber.transcribe(note, timeout_s=PATIENCE_S) == model.hears
    assert len(model.heard) == 2


def test_what_does_not_pass_is_not(
    transcriber: OpenAITranscriber, model: FakeModel, note: FetchedMedia
) -> None:
    model.refuse("audio", 400)

    with pytest.raises(MediaError, match="the model answered 400"):
        transcriber.transcribe(note, timeout_s=PATIENCE_S)
    assert len(model.heard) == 1


def test_a_pause_beyond_the_time_is_not_waited_for(
    transcriber: OpenAITranscriber, model: FakeModel, note: FetchedMedia
) -> None:
    model.refuse("audio", 429, retry_after="3600")

    with pytest.raises(MediaError, match="the model answered 429"):
        transcriber.transcribe(note, timeout_s=PATIENCE_S)
    assert len(model.heard) == 1


def test_without_time_nothing_is_asked(
    transcriber: OpenAITranscriber, model: FakeModel, note: FetchedMedia
) -> None:
    with pytest.raises(MediaError, match="no time left"):
        transcriber.transcribe(note, timeout_s=0.0)
    assert model.heard == []


def test_an_endpoint_that_is_not_there_is_an_error_of_the_voice_note(note: FetchedMedia) -> None:
    nobody = OpenAITranscriber(
        base_url=f"http://127.0.0.1:{free_port()}/v1", api_key="sk-1", model="a-listener"
    )

    with pytest.raises(MediaError, match="cannot be reached"):
        nobody.transcribe(note, timeout_s=0.5)
