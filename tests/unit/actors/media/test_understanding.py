"""What attachments say takes their place in the conversation, and a failure costs no answer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import actors
from actors.conversation import FetchedMedia, Media, MediaError
from actors.media import MediaFolder, MediaLibrary, Understanding
from actors.media.understanding import MAX_TRANSCRIPT, replaced
from actors.responders import ResponderUnavailable
from tests.support.attachments import ScriptedSource, a_message, with_attachments
from tests.support.conversations import CONVERSATION

from ..conftest import WITH_SERVICES, World

CARD = b"BEGIN:VCARD\r\nFN:Ana\r\nTEL:+15005550006\r\nEND:VCARD\r\n"


class Listener:
    """Hears what a test says."""

    def __init__(self) -> None:
        self.hears = "quero dois"
        self.heard = 0
        self.error: MediaError | None = None

    def transcribe(self, media: FetchedMedia, *, timeout_s: float) -> str:  # noqa: ARG002  of the protocol
        assert media.read() == b"OggS"
        self.heard += 1
        if self.error is not None:
            raise self.error
        return self.hears


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource(
        {"audio/ogg": b"OggS", "image/jpeg": b"jpeg", "text/vcard": CARD, "application/pdf": b"x"}
    )


@pytest.fixture
def listener() -> Listener:
    return Listener()


#: Changes the services that the actors work with.
Change = Callable[..., World]


@pytest.fixture
def make(make_world: Callable[..., World], source: ScriptedSource, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Makes surroundings in which attachments can be fetched."""

    def make(
        *, folder: MediaFolder | None = None, settings: dict[str, object] | None = None, **understands: object
    ) -> World:
        world = make_world(**(settings or {}))
        services = replace(
            world.services,
            media=MediaLibrary({"twilio": source}, folder=folder),
            understanding=Understanding(**understands),  # type: ignore[arg-type]
        )
        for module in WITH_SERVICES:
            monkeypatch.setattr(module, "services", lambda: services)
        world.services = services
        return world

    return make


def comes_in(text: str, *types: str) -> None:
    actors.process_ai_response.fn(with_attachments(text, *types))


def said(world: World) -> list[str]:
    """What is in the conversation of the contact's."""
    return [each.text for each in world.conversations.reader.thread(CONVERSATION) if each.author == "contact"]


def test_a_voice_note_is_written_down_for_the_model_and_for_people(make: Change, listener: Listener) -> None:
    world = make(transcriber=listener)

    comes_in("", "audio/ogg")

    assert world.responder.asked == [['[voice note: "quero dois"]']]
    assert said(world) == ['[voice note: "quero dois"]']


def test_a_message_that_runs_again_is_not_written_down_again(make: Change, listener: Listener) -> None:
    world = make(transcriber=listener)
    parameters = with_attachments("", "audio/ogg")
    world.responder.error = ResponderUnavailable("later")
    with pytest.raises(ResponderUnavailable):
        actors.process_ai_response.fn(parameters)
    world.responder.error = None

    actors.process_ai_response.fn(parameters)

    assert listener.heard == 1
    assert world.responder.asked == [['[voice note: "quero dois"]']] * 2


def test_the_next_turn_has_it_in_its_history(make: Change, listener: Listener) -> None:
    world = make(transcriber=listener)
    comes_in("", "audio/ogg")

    comes_in("e um café")

    history = [message.text for message in world.responder.conversations[-1].history]
    assert history[0] == '[voice note: "quero dois"]'


def test_text_and_several_attachments_keep_their_places(make: Change, listener: Listener) -> None:
    world = make(transcriber=listener)

    comes_in("Oi [voice note: audio/ogg]", "audio/ogg", "text/vcard", "image/jpeg")

    [[text]] = world.responder.asked
    assert text.splitlines() == [
        "Oi [voice note: audio/ogg]",
        '[voice note: "quero dois"]',
        "[contact card: Ana, +15005550006]",
        "[picture: image/jpeg]",
    ]


def test_what_cannot_be_fetched_is_answered_all_the_same(
    make: Change, listener: Listener, source: ScriptedSource
) -> None:
    source.contents.clear()
    world = make(transcriber=listener, sees_pictures=True)

    comes_in("", "audio/ogg")
    comes_in("", "image/jpeg")

    assert said(world) == [
        "[voice note, could not be fetched: Twilio answered 404]",
        "[picture, could not be fetched: Twilio answered 404]",
    ]
    assert len(world.sender.sent) == 0
    assert world.enqueued.count("send_reply") >= 1


def test_what_cannot_be_written_down_is_answered_all_the_same(make: Change, listener: Listener) -> None:
    listener.error = MediaError("the model answered 400")
    world = make(transcriber=listener)

    comes_in("", "audio/ogg")

    assert world.responder.asked == [["[voice note, could not be written down: the model answered 400]"]]


@pytest.mark.parametrize(
    ("hears", "text"),
    [
        ("  ", "[voice note, without a word that could be understood]"),
        ("a" * 5_000, '[voice note: "' + "a" * (MAX_TRANSCRIPT - 1) + '…"]'),
    ],
)
def test_what_is_heard_is_bounded(make: Change, listener: Listener, hears: str, text: str) -> None:
    listener.hears = hears
    world = make(transcriber=listener)

    comes_in("", "audio/ogg")

    assert world.responder.asked == [[text]]


def test_a_card_that_is_none_is_said_to_be_none(
    make: Change, listener: Listener, source: ScriptedSource
) -> None:
    source.contents["text/vcard"] = b"<html>"
    world = make(transcriber=listener)

    comes_in("", "text/vcard")

    assert world.responder.asked == [["[contact card, could not be read: there is none in the file]"]]


def test_nothing_is_fetched_when_no_setting_says_so(make: Change, source: ScriptedSource) -> None:
    world = make()

    comes_in("", "audio/ogg", "image/jpeg", "text/vcard", "application/pdf")

    assert source.fetched == []
    assert world.responder.asked[0][0].startswith("[voice note: audio/ogg]")


@pytest.mark.parametrize(
    ("understands", "fetched"),
    [
        ({"sees_pictures": True}, ["image/jpeg", "text/vcard"]),
        ({"transcriber": Listener()}, ["audio/ogg", "text/vcard"]),
        ({"keeps": True}, ["audio/ogg", "image/jpeg", "text/vcard", "application/pdf"]),
    ],
)
def test_what_a_setting_asks_for_is_fetched(
    make: Change, source: ScriptedSource, understands: dict[str, object], fetched: list[str]
) -> None:
    make(**understands)

    comes_in("", "audio/ogg", "image/jpeg", "text/vcard", "application/pdf")

    assert source.fetched == fetched


def test_a_responder_of_ones_own_fetches_what_it_wants(make: Change, source: ScriptedSource) -> None:
    world = make()
    contents: list[bytes] = []

    def look() -> None:
        [message] = world.responder.conversations[-1].unanswered
        contents.extend(media.fetch().read() for media in message.media)

    world.responder.meanwhile = look
    comes_in("", "image/jpeg", "application/pdf")

    assert contents == [b"jpeg", b"x"]


def test_it_may_fetch_what_the_history_has(make: Change, source: ScriptedSource) -> None:
    world = make()
    comes_in("", "image/jpeg")
    contents: list[bytes] = []

    def look() -> None:
        contents.append(world.responder.conversations[-1].history[0].media[0].fetch().read())

    world.responder.meanwhile = look
    comes_in("o que é isso?")

    assert contents == [b"jpeg"]


def test_an_album_is_no_loop(make: Change) -> None:
    world = make(settings={"contact_same_text_limit": 2})
    comes_in("Oi")

    for _ in range(5):
        comes_in("", "image/jpeg")

    assert len(world.responder.asked) == 6
    assert world.conversations.mode(CONVERSATION) == "assistant"


def test_the_same_text_is_one_still(make: Change) -> None:
    world = make(settings={"contact_same_text_limit": 2})

    for _ in range(5):
        comes_in("Oi")

    assert world.conversations.mode(CONVERSATION) == "person"


def test_texts_are_put_where_the_attachments_stand() -> None:
    media = [Media("image/jpeg", ""), Media("image/jpeg", "")]
    text = "[picture: image/jpeg]\n[picture: image/jpeg]\n[picture: image/jpeg]\n[location: 1, 2]"

    assert replaced(text, media, ["A", "B"]) == "[picture: image/jpeg]\nA\nB\n[location: 1, 2]"
    assert replaced("of another channel", media, ["A", "B"]) == "of another channel\nA\nB"


def test_media_are_what_their_type_says() -> None:
    message = a_message("audio/ogg; codecs=opus", "TEXT/VCARD", "a/b")

    assert [each.kind for each in message.media] == ["voice note", "contact card", "document"]
    assert message.media[0].mime_type == "audio/ogg"
