"""Attachments as text, for the model and for people: what was said in a voice note, what a card says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from brokers.elastic_threads import waiting

from ..channels import Channel
from ..conversation import FetchedMedia, Media, MediaError, decoded
from ..conversations import ConversationStore, Turn, Utterance
from .cards import MAX_BYTES, read_cards
from .library import Attachments

#: How much of a voice note is shown, in characters.
MAX_TRANSCRIPT = 4_000


class Transcriber(Protocol):
    """Writes down what is said. Many threads call it at once."""

    def transcribe(self, media: FetchedMedia, *, timeout_s: float) -> str:
        """Return what is said in a voice note.

        Parameters:
          media: the voice note.
          timeout_s: how long that may take, in seconds.

        Raises:
          MediaError: it cannot be written down.
        """
        ...


class Understanding:
    """Puts what attachments say in the place of what they are, in the conversation itself.

    What was understood is stored as the text of the message. So the history and the dashboard show it, and a
    message that runs again does not have it understood again. What cannot be fetched or understood is a text,
    too: the message is answered all the same.

    Parameters:
      sees_pictures: the responder looks at pictures, so they are fetched before it is asked.
      transcriber: writes voice notes down; None where none are.
      keeps: every attachment is fetched, because it is kept.
    """

    def __init__(
        self, *, sees_pictures: bool = False, transcriber: Transcriber | None = None, keeps: bool = False
    ) -> None:
        self._sees_pictures = sees_pictures
        self._transcriber = transcriber
        self._keeps = keeps

    def of(
        self, turn: Turn, channel: Channel, attachments: Attachments, conversations: ConversationStore
    ) -> Turn:
        """Return a turn whose messages say what their attachments say.

        Parameters:
          turn: what is unanswered.
          channel: reads the messages.
          attachments: fetches what they have.
          conversations: keeps the texts.
        """
        if not (self._sees_pictures or self._transcriber or self._keeps):
            return turn
        return turn._replace(
            unanswered=[
                self._understood(each, channel, attachments, conversations) for each in turn.unanswered
            ]
        )

    def _understood(
        self,
        said: Utterance,
        channel: Channel,
        attachments: Attachments,
        conversations: ConversationStore,
    ) -> Utterance:
        message = channel.read(decoded(said.payload))
        if not message.media or said.text != message.text:  # nothing to do, or done before
            return said
        with waiting():
            media = attachments.of(message, at_ms=said.at_ms)
            text = replaced(said.text, media, [self._text(each, attachments) for each in media])
        if text != said.text:
            conversations.describe(said.message_id, text)
        return said._replace(text=text)

    def _text(self, media: Media, attachments: Attachments) -> str:
        """Return what a model reads of an attachment."""
        if not self._is_fetched(media):
            return media.as_text
        try:
            fetched = media.fetch()
        except MediaError as error:
            return f"[{media.kind}, could not be fetched: {error}]"
        if media.kind == "contact card":
            return _card(fetched)
        if media.kind == "voice note" and self._transcriber is not None:
            return self._transcribed(fetched, attachments, self._transcriber)
        return media.as_text

    def _is_fetched(self, media: Media) -> bool:
        match media.kind:
            case "picture":
                return self._sees_pictures or self._keeps
            case "voice note":
                return self._transcriber is not None or self._keeps
            case "contact card":
                return True
            case _:
                return self._keeps

    def _transcribed(self, fetched: FetchedMedia, attachments: Attachments, transcriber: Transcriber) -> str:
        try:
            with attachments.timed():
                said = transcriber.transcribe(fetched, timeout_s=attachments.left_s).strip()
        except MediaError as error:
            return f"[voice note, could not be written down: {error}]"
        if not said:
            return "[voice note, without a word that could be understood]"
        return f'[voice note: "{said if len(said) <= MAX_TRANSCRIPT else said[: MAX_TRANSCRIPT - 1] + "…"}"]'


def _card(fetched: FetchedMedia) -> str:
    with fetched.path.open("rb") as file:
        cards = read_cards(file.read(MAX_BYTES))
    return (
        "[contact card, could not be read: there is none in the file]"
        if cards is None
        else f"[contact card: {cards}]"
    )


def replaced(text: str, media: Sequence[Media], texts: Sequence[str]) -> str:
    """Put texts in the place of what stands for attachments in a message's text.

    Parameters:
      text: the text. What stands for the attachments is in it, a line for each, behind what was written.
      media, texts: the attachments, and a text for each.
    """
    before, mark, after = text.rpartition("\n".join(each.as_text for each in media))
    said = "\n".join(texts)
    return f"{before}{said}{after}" if mark else f"{text}\n{said}"
