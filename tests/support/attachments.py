"""Attachments without a network."""

from __future__ import annotations

from pathlib import Path

from actors.channels import InboundMessage
from actors.channels.twilio.inbound import read
from actors.conversation import FetchedMedia, Media, MediaError
from ops.webhook import message_parameters
from tests.fakes.twilio import Attachment, attached

from .conversations import ADDRESS, CONTACT

#: An account that is nobody's.
ACCOUNT_SID = "AC" + "0" * 32


class ScriptedSource:
    """Has a content for each type, or none, and remembers what was asked for.

    Attributes:
      contents: by type.
      fetched, were_new, times_s: what each call was for, and with.
    """

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.fetched: list[str] = []
        self.were_new: list[bool] = []
        self.times_s: list[float] = []

    def fetch(
        self,
        media: Media,
        *,
        account: str,  # noqa: ARG002  of the protocol
        into: Path,
        timeout_s: float,
        is_new: bool,
    ) -> FetchedMedia:
        self.fetched.append(media.mime_type)
        self.were_new.append(is_new)
        self.times_s.append(timeout_s)
        if media.mime_type not in self.contents:
            raise MediaError("Twilio answered 404")
        into.write_bytes(self.contents[media.mime_type])
        return FetchedMedia(into, media.mime_type, into.stat().st_size)


def with_attachments(text: str, *types: str) -> dict[str, str]:
    """The parameters of a message with attachments of these types."""
    attachments = [Attachment(ACCOUNT_SID, b"", each) for each in types]
    return message_parameters(text, sender=CONTACT, to=ADDRESS) | attached(*attachments)


def a_message(*types: str) -> InboundMessage:
    """A message with attachments of these types."""
    return read(with_attachments("Oi", *types))
