"""What a responder is given: a conversation with one contact, as values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

#: `contact` wrote it, or `us`: the assistant, or a person of the shop.
Author = Literal["contact", "us"]


#: A conversation is answered by the assistant, by a person, or by nobody: the contact has opted out.
Mode = Literal["assistant", "person", "nobody"]


@dataclass(frozen=True, slots=True)
class Contact:
    """The customer.

    Attributes:
      address: as the channel writes it: a phone number, `whatsapp:` and a number, or an id that is neither
        (WhatsApp users without a visible number).
      name: as the customer gave it to the channel; None where the channel does not tell.
      id: the channel's own id of the customer, which stays when the address changes; None where the channel
        has none, or does not tell.
    """

    address: str
    name: str | None = None
    id: str | None = None


#: What an attachment is, in a word for models and people.
MediaKind = Literal["picture", "voice note", "video", "contact card", "document", "media"]

#: By the first part of its type, and the types that are contact cards.
_KINDS: Mapping[str, MediaKind] = {"image": "picture", "audio": "voice note", "video": "video"}
_CARDS = frozenset({"text/vcard", "text/x-vcard", "text/directory"})

#: The type of what may be anything.
UNKNOWN_TYPE = "application/octet-stream"

#: How much of a type is shown to a model, in characters: a sender chooses it.
MAX_TYPE = 500


class MediaError(Exception):
    """An attachment cannot be fetched. The message says why, in words that a model and people may read."""


@dataclass(frozen=True, slots=True)
class FetchedMedia:
    """An attachment that is on this machine.

    Attributes:
      path: its file. Where attachments are not kept (`MEDIA_PATH`), it is gone when the answer is given.
      content_type: its MIME type, such as `image/jpeg`, in small letters and without parameters.
      size: in bytes.
    """

    path: Path
    content_type: str
    size: int

    def read(self) -> bytes:
        """Return its content. That is in memory then: think of `size` before."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class Media:
    """An attachment: what it is, and where it can be fetched.

    Attributes:
      content_type: a MIME type, such as `image/jpeg`; `application/octet-stream` where the channel does not
        tell.
      url: its address at the channel, which asks for credentials. `fetch` has them.
      fetcher: fetches it; None where it cannot be fetched.
    """

    content_type: str
    url: str
    fetcher: Callable[[], FetchedMedia] | None = field(default=None, repr=False, compare=False)

    def fetch(self) -> FetchedMedia:
        """Fetch it from the channel, or from where it is kept. A second time costs nothing.

        It takes seconds, within `MEDIA_TIMEOUT_S` for all attachments of what is being answered.

        Raises:
          MediaError: it cannot be fetched.
        """
        if self.fetcher is None:
            raise MediaError("its channel has no way to fetch it")
        return self.fetcher()

    @property
    def mime_type(self) -> str:
        """Its type in small letters and without parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def kind(self) -> MediaKind:
        """What it is."""
        if self.content_type == UNKNOWN_TYPE:
            return "media"
        if self.mime_type in _CARDS:
            return "contact card"
        return _KINDS.get(self.mime_type.partition("/")[0], "document")

    @property
    def as_text(self) -> str:
        """What a model reads in its place, as long as nothing more is known of it."""
        match self.kind:
            case "media":
                return "[media: unknown type]"
            case "contact card":
                return "[contact card]"
            case kind:
                is_long = len(self.content_type) > MAX_TYPE
                return (
                    f"[{kind}: {self.content_type[: MAX_TYPE - 1] + '…' if is_long else self.content_type}]"
                )


@dataclass(frozen=True, slots=True)
class Button:
    """A button or an entry of a list that the contact chose.

    Attributes:
      text: what stood on it.
      id: what the sender of the button called it; empty where it had no id.
    """

    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """A place that the contact shared. Coordinates are in degrees, as the channel wrote them."""

    latitude: str
    longitude: str
    label: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was said.

    Attributes:
      author: who said it.
      text: it, as a model should read it; what is no text is described in brackets.
      at_ms: when it came in or was written, in milliseconds since the epoch.
      message_id: the id of an inbound message, or of a reply.
      media: attachments.
      button: the button that was pressed, if it was one.
      location: the place that was shared, if it was one.
      reply_to: the channel's id of the message that this one refers to.
      payload: all that the channel sent; empty for replies.
    """

    author: Author
    text: str
    at_ms: int = 0
    message_id: str = ""
    media: Sequence[Media] = ()
    button: Button | None = None
    location: Location | None = None
    reply_to: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Messages(Sequence[Message]):
    """Messages that are made of what is stored when they are looked at, and once.

    Most responders look at the last few of a history, and some at none.

    Parameters:
      stored: the records.
      to_message: makes a message of one.
    """

    def __init__(self, stored: Sequence[Any], to_message: Callable[[Any], Message]) -> None:
        self._stored = stored
        self._to_message = to_message

    @cached_property
    def _messages(self) -> Sequence[Message]:
        return tuple(map(self._to_message, self._stored))

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        return self._messages[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __repr__(self) -> str:
        return repr(list(self._messages))

    __hash__ = None  # type: ignore[assignment]  # as of a list


@dataclass(frozen=True, slots=True)
class Conversation:
    """One contact at one of our addresses, under one account of a channel.

    Attributes:
      contact: the customer.
      address: the address of ours that they wrote to; replies come from it.
      account: the account of the channel that the address belongs to.
      channel: the channel's name.
      history: what was said before, oldest first.
      unanswered: what the contact said since; at least one message.
      metadata: what a responder of one's own keeps with the conversation; an answer may change it.
      language: the BCP 47 tag of the language that our address answers in; None where no profile says.
    """

    contact: Contact
    address: str
    account: str
    channel: str
    history: Sequence[Message]
    unanswered: Sequence[Message]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None


def decoded(payload: str | None) -> Mapping[str, Any]:
    """Read a payload as it is stored: a JSON object, or nothing."""
    value = {} if payload is None else json.loads(payload)
    return value if isinstance(value, dict) else {}
