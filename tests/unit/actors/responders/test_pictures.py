"""What a model is shown of pictures, and how many bytes of them at a time."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.conversation import Contact, Conversation, FetchedMedia, Media, MediaError, Message
from actors.responders import ResponderRefused, ResponderUnavailable
from actors.responders import pictures as pictures_module
from actors.responders.openai import OpenAIResponder
from actors.responders.pictures import MAX_PICTURES, Pictures
from tests.fakes.model import FakeModel

JPEG = b"\xff\xd8\xff picture"


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as model:
        yield model


@pytest.fixture
def a_picture(tmp_path: Path) -> Callable[..., Media]:
    """Makes pictures that can be fetched."""

    def make(content: bytes = JPEG, content_type: str = "image/jpeg") -> Media:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        return Media(content_type, "", fetcher=lambda: FetchedMedia(path, content_type, len(content)))

    return make


def a_message(*media: Media, text: str = "Quanto custa?") -> Message:
    return Message("contact", "\n".join([text, *(each.as_text for each in media)]), media=media)


def a_conversation(*messages: Message, history: tuple[Message, ...] = ()) -> Conversation:
    return Conversation(Contact("+15005550006"), "+15005550007", "AC1", "twilio", history, messages)


def responder(model: FakeModel, *, max_bytes: int = 1_000) -> OpenAIResponder:
    return OpenAIResponder(base_url=model.url, api_key="sk-1", model="a-model", vision_max_bytes=max_bytes)


def shown(pictures: Pictures, *messages: Message) -> list[Any]:
    with pictures.shown(messages) as contents:
        return contents


def notes(content: Any) -> list[str]:
    """What stands in the place of pictures."""
    return [each["text"] for each in content[1:] if each["type"] == "text"]


def test_the_model_is_shown_the_picture(model: FakeModel, a_picture: Callable[..., Media]) -> None:
    responder(model).respond(a_conversation(a_message(a_picture())))

    assert model.asked[-1]["messages"][-1]["content"] == [
        {"type": "text", "text": "Quanto custa?\n[picture: image/jpeg]"},
        {
            "type": "image_url",
            "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()},
        },
    ]


def test_pictures_of_the_history_are_not_shown(model: FakeModel, a_picture: Callable[..., Media]) -> None:
    responder(model).respond(a_conversation(a_message(), history=(a_message(a_picture()),)))

    assert [type(each["content"]) for each in model.asked[-1]["messages"]] == [str, str, str]


def test_a_model_that_looks_at_none_is_shown_none(model: FakeModel, a_picture: Callable[..., Media]) -> None:
    responder(model, max_bytes=0).respond(a_conversation(a_message(a_picture())))

    assert model.asked[-1]["messages"][-1]["content"] == "Quanto custa?\n[picture: image/jpeg]"


def test_a_model_that_refuses_pictures_answers_without_them(
    model: FakeModel, a_picture: Callable[..., Media]
) -> None:
    model.is_blind = True

    answer = responder(model).respond(a_conversation(a_message(a_picture())))

    assert answer.text == model.says
    assert model.asked[-1]["messages"][-1]["content"] == (
        "Quanto custa?\n[picture: image/jpeg]\n[the picture is not shown: the model cannot look at it]"
    )


def test_other_refusals_are_what_they_are(model: FakeModel, a_picture: Callable[..., Media]) -> None:
    conversation = a_conversation(a_message(a_picture()))
    model.refuse("chat", 401)
    with pytest.raises(ResponderRefused):
        responder(model).respond(conversation)
    model.refuse("chat", 503)
    with pytest.raises(ResponderUnavailable):
        responder(model).respond(conversation)
    assert len(model.asked) == 2
    model.refuse("chat", 400)
    with pytest.raises(ResponderRefused):
        responder(model).respond(a_conversation(a_message()))


def test_a_picture_that_cannot_be_fetched_is_named(a_picture: Callable[..., Media]) -> None:
    def fail() -> FetchedMedia:
        raise MediaError("Twilio answered 404")

    [content] = shown(Pictures(1_000), a_message(Media("image/jpeg", "", fetcher=fail)))

    assert notes(content) == ["[the picture is not shown: Twilio answered 404]"]


def test_one_that_could_not_be_fetched_before_is_not_fetched_again() -> None:
    def fail() -> FetchedMedia:
        raise AssertionError("it is fetched again")

    media = Media("image/jpeg", "", fetcher=fail)
    message = Message("contact", "[picture, could not be fetched: Twilio answered 404]", media=(media,))

    assert shown(Pictures(1_000), message) == [message.text]


@pytest.mark.parametrize("content_type", ["image/heic", "image/svg+xml"])
def test_what_no_model_takes_is_not_shown(a_picture: Callable[..., Media], content_type: str) -> None:
    [content] = shown(Pictures(1_000), a_message(a_picture(content_type=content_type)))

    assert notes(content) == ["[the picture is not shown: it is of a type that cannot be looked at]"]


def test_pictures_of_one_request_are_bounded_together(a_picture: Callable[..., Media]) -> None:
    contents = shown(
        Pictures(1_000),
        a_message(a_picture(bytes(600)), a_picture(bytes(600))),
        a_message(a_picture(bytes(400))),
        a_message(text="Oi"),
    )

    assert notes(contents[0]) == ["[the picture is not shown: it is too large]"]
    assert notes(contents[1]) == []
    assert contents[2] == "Oi"


def test_and_so_is_their_number(a_picture: Callable[..., Media]) -> None:
    media = [a_picture(b"x") for _ in range(MAX_PICTURES + 2)]

    [content] = shown(Pictures(1_000), a_message(*media))

    assert notes(content) == ["[the picture is not shown: there are too many]"] * 2


def test_pictures_of_all_requests_in_flight_are_bounded_together(
    a_picture: Callable[..., Media], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures_module, "WAIT_S", 0.05)
    pictures, message = Pictures(1_000), a_message(a_picture(bytes(1_000)))

    with pictures.shown([message]):
        [content] = shown(pictures, message)
        assert notes(content) == ["[the picture is not shown: too many are looked at just now]"]
    assert notes(shown(pictures, message)[0]) == []


def test_a_request_waits_for_another_to_be_answered(a_picture: Callable[..., Media]) -> None:
    pictures, message = Pictures(1_000), a_message(a_picture(bytes(1_000)))
    contents: list[Any] = []
    with pictures.shown([message]):
        other = threading.Thread(target=lambda: contents.extend(shown(pictures, message)))
        other.start()
    other.join()

    assert notes(contents[0]) == []
