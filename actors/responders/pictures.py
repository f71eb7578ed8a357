"""Pictures that a model is shown: not too many bytes of them in one request, nor in all of a process's."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..conversation import FetchedMedia, Media, MediaError, Message

#: What models take (https://platform.openai.com/docs/guides/images-vision).
TYPES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})

#: As many pictures as one request may have.
MAX_PICTURES = 10

#: How long a request waits for others to be answered, in seconds. Then it goes without its pictures. With the
#: times for attachments and for an answer that is less than an actor's time limit.
WAIT_S = 20.0

#: What a model reads of a picture that it is not shown, and why.
NOT_SHOWN = "[the picture is not shown: {why}]"


class Pictures:
    """Makes what a model is shown of messages with pictures.

    Until a request is answered its pictures are in memory several times, as text and as what is sent: up to
    nine times their bytes, measured. So all requests in flight have together no more than one may have.

    Parameters:
      max_bytes: of all pictures of one request, and of all that are in flight; 0: no pictures are shown.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._in_flight: dict[object, int] = {}  # bytes of each request, by nothing but its identity
        self._changed = threading.Condition()

    @contextmanager
    def shown(self, messages: Sequence[Message]) -> Iterator[list[Any]]:
        """Give what the endpoint takes as the content of each message. The request is to be made inside.

        Parameters:
          messages: what is unanswered.
        """
        chosen = self._chosen(messages) if self._max_bytes else [[] for _ in messages]
        needed = sum(each.size for pictures in chosen for each in pictures if isinstance(each, FetchedMedia))
        request = object()
        try:  # around the taking, too: actors' threads are interrupted anywhere
            if not self._take(request, needed):
                note = NOT_SHOWN.format(why="too many are looked at just now")
                chosen = [[note] if pictures else [] for pictures in chosen]
            yield [_content(message, each) for message, each in zip(messages, chosen, strict=True)]
        finally:
            self._give_back(request)

    def _chosen(self, messages: Sequence[Message]) -> list[list[FetchedMedia | str]]:
        """Fetch each message's pictures, as many as one request may have; a note where one is missing."""
        left, left_bytes = MAX_PICTURES, self._max_bytes
        chosen: list[list[FetchedMedia | str]] = []
        for message in messages:
            of_message: list[FetchedMedia | str] = []
            for media in _pictures_of(message):
                picture = _fetched(media, left_bytes) if left else NOT_SHOWN.format(why="there are too many")
                if isinstance(picture, FetchedMedia):
                    left, left_bytes = left - 1, left_bytes - picture.size
                of_message.append(picture)
            chosen.append(of_message)
        return chosen

    def _take(self, request: object, needed: int) -> bool:
        """Wait until there is room for a request's pictures; False when there is none in time."""
        if not needed:
            return True
        with self._changed:
            has_room = self._changed.wait_for(
                lambda: sum(self._in_flight.values()) + needed <= self._max_bytes, timeout=WAIT_S
            )
            if has_room:
                self._in_flight[request] = needed
        return has_room

    def _give_back(self, request: object) -> None:
        with self._changed:
            if self._in_flight.pop(request, None) is not None:
                self._changed.notify_all()


def _pictures_of(message: Message) -> Iterator[Media]:
    """Yield a message's pictures. One of which its text says something else could not be fetched before."""
    return (media for media in message.media if media.kind == "picture" and media.as_text in message.text)


def _fetched(media: Media, max_bytes: int) -> FetchedMedia | str:
    """Fetch a picture; return a note when it cannot be shown."""
    try:
        fetched = media.fetch()
    except MediaError as error:
        return NOT_SHOWN.format(why=error)
    if fetched.content_type not in TYPES:
        return NOT_SHOWN.format(why="it is of a type that cannot be looked at")
    if fetched.size > max_bytes:
        return NOT_SHOWN.format(why="it is too large")
    return fetched


def _content(message: Message, pictures: Sequence[FetchedMedia | str]) -> Any:
    if not pictures:
        return message.text
    return [
        _text(message.text),
        *(_text(each) if isinstance(each, str) else _image(each) for each in pictures),
    ]


def as_text(content: Any) -> str:
    """Write down for people what an endpoint took as the content of a message."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "[the picture]") for part in content)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(picture: FetchedMedia) -> dict[str, Any]:
    encoded = base64.b64encode(picture.read()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{picture.content_type};base64,{encoded}"}}
