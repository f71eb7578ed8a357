"""What a responder gives back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from .reply import Content, Template

#: As many attachments as one message may have (https://www.twilio.com/docs/messaging/api/message-resource).
MAX_MEDIA = 10

#: As many texts as one answer may have: each is a message of its own to the contact.
MAX_TEXTS = 10

#: As large as what a responder keeps with a conversation may be, in bytes of JSON.
MAX_METADATA_BYTES = 64 * 1024

#: As many tool calls as an answer carries: a trace of what an agent did, and not a log of all of it.
MAX_TOOL_CALLS = 20

#: As many characters as it carries of a tool's arguments, and of its result.
MAX_TOOL_CALL_CHARACTERS = 2_000


class InvalidAnswer(Exception):
    """An answer that cannot be sent; the message says why. Not worth another try."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost.

    Attributes:
      model: the model that gave it.
      input_tokens, output_tokens: tokens paid for; None where the model does not tell.
    """

    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def tokens(self) -> int | None:
        """All tokens paid for."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that an agent called on its way to an answer.

    Attributes:
      name: the tool's.
      arguments: what it was called with, as the model wrote it; mostly JSON.
      result: what it returned, as the model was told; empty where it returned nothing.
    """

    name: str
    arguments: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to everything unanswered.

    Attributes:
      text: what to say; several texts become several messages, sent in order. Nothing: the assistant keeps
        silent, and what was unanswered counts as seen to.
      usage: what it cost.
      metadata: what to keep with the conversation from now on; None leaves it as it is.
      hand_over: why a person is to answer from now on, for that person; None for the assistant. What is said
        here is still sent.
      media: addresses (https) of what is attached to the first text, at which the channel fetches it.
      template: what is sent in place of the text: a text that the channel has approved, which alone it takes
        for a contact who wrote too long ago. The text stands in the history, for people and models.
      tool_calls: the tools that an agent called for it, in order. Of many or long ones a part is kept.
      prompt: what the model was asked, for people to read. It is kept with AI_KEEP_PROMPTS only, and of a
        long one a part.
    """

    text: str | Sequence[str] = ()
    usage: Usage | None = None
    metadata: Mapping[str, Any] | None = None
    hand_over: str | None = None
    media: Sequence[str] = ()
    template: Template | None = None
    tool_calls: Sequence[ToolCall] = ()
    prompt: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Each text."""
        return (self.text,) if isinstance(self.text, str) else tuple(self.text)

    @property
    def is_silence(self) -> bool:
        """Whether nothing is said."""
        return not (self.texts or self.media or self.template)

    @property
    def content(self) -> Content:
        """The media and the template, as a reply keeps them."""
        return Content(tuple(self.media), self.template)


def checked(answer: object) -> Answer:
    """Make an `Answer` of what a responder returned: an answer, a text, or None for silence.

    Raises:
      InvalidAnswer: it is nothing that can be sent.
    """
    if answer is None:
        return Answer()
    if isinstance(answer, str):
        answer = Answer(answer)
    if not isinstance(answer, Answer):
        raise InvalidAnswer(
            f"A responder returns an Answer, a text or None, and this one returned {type(answer).__name__}"
        )
    if len(answer.texts) > MAX_TEXTS:
        raise InvalidAnswer(f"An answer has at most {MAX_TEXTS} texts, and this one has {len(answer.texts)}")
    for text in answer.texts:
        if not isinstance(text, str):
            raise InvalidAnswer(f"A text of an answer is a str, and this one is {type(text).__name__}")
        if not text.strip():
            raise InvalidAnswer("An answer without a word in it cannot be sent; return None to keep silent")
    _check_media(answer.media)
    _check_template(answer)
    if answer.hand_over is not None and not (isinstance(answer.hand_over, str) and answer.hand_over.strip()):
        raise InvalidAnswer("An answer's hand_over says why a person is needed, in a few words")
    _check_metadata(answer.metadata)
    return replace(answer, tool_calls=_bounded(answer.tool_calls)) if answer.tool_calls else answer


def _bounded(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """Cut off what is too much to keep: no customer is left without an answer for it."""
    for call in calls:
        if not isinstance(call, ToolCall):
            raise InvalidAnswer(f"An answer's tool_calls are ToolCalls, and one is {type(call).__name__}")
    return tuple(
        ToolCall(call.name, *(text[:MAX_TOOL_CALL_CHARACTERS] for text in (call.arguments, call.result)))
        for call in calls[:MAX_TOOL_CALLS]
    )


def _check_media(media: Sequence[str]) -> None:
    if isinstance(media, str) or len(media) > MAX_MEDIA:
        raise InvalidAnswer(f"An answer's media is a list of at most {MAX_MEDIA} addresses")
    for address in media:
        if not isinstance(address, str) or urlsplit(address).scheme != "https":
            raise InvalidAnswer(f"An answer's media are addresses that begin with https://, not {address!r}")


def _check_template(answer: Answer) -> None:
    template = answer.template
    if template is None:
        return
    if not isinstance(template, Template) or not (isinstance(template.sid, str) and template.sid.strip()):
        raise InvalidAnswer("An answer's template is a Template with the channel's id of it")
    if not all(isinstance(each, str) for pair in template.variables.items() for each in pair):
        raise InvalidAnswer("A template's variables are texts, by names that are texts")
    if answer.media or len(answer.texts) > 1:
        raise InvalidAnswer(
            "An answer with a template has no media, and one text at most: what people read in its place"
        )


def _check_metadata(metadata: Mapping[str, Any] | None) -> None:
    if metadata is None:
        return
    try:
        size = len(json.dumps(dict(metadata), ensure_ascii=False).encode(errors="surrogatepass"))
    except (TypeError, ValueError) as error:
        raise InvalidAnswer(f"An answer's metadata is what JSON can express: {error}") from error
    if size > MAX_METADATA_BYTES:
        raise InvalidAnswer(
            f"An answer's metadata has {size} bytes as JSON, and may have {MAX_METADATA_BYTES}"
        )
