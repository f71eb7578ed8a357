"""Attachments for people to look at and listen to."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from actors.channels import Channel, InboundMessage, InvalidMessage
from actors.conversation import FetchedMedia, MediaKind, decoded
from actors.conversations import ConversationReader, ThreadEntry
from actors.media import TEMPORARY, MediaFolder, MediaLibrary

#: How many attachments are fetched at a time. The threads are their own: no page waits for attachments.
THREADS = 4

#: For how long what is not kept stays here after it was last looked at, in seconds: a player asks for the
#: same file again and again.
STAYS_S = 600.0


#: What browsers show and play, and nothing of it runs.
PICTURES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
PLAYED = re.compile(r"(audio|video)/[a-z0-9.+-]+")


class ShownMedia(NamedTuple):
    """An attachment in a bubble.

    Attributes:
      number: its place among the message's attachments, from 0.
      kind, mime_type: what it is.
      is_inline: it is shown, or played, where it stands; else it is a link.
    """

    number: int
    kind: MediaKind
    mime_type: str
    is_inline: bool


class DashboardMedia:
    """Finds the attachments of messages, and fetches what is not kept.

    Parameters:
      channels: read the messages.
      library: fetches.
      timeout_s: how long one attachment may take, in seconds.
    """

    def __init__(self, channels: Mapping[str, Channel], library: MediaLibrary, *, timeout_s: float) -> None:
        self._channels = channels
        self._library = library
        self._timeout_s = timeout_s
        self._opening = threading.Lock()
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recado-media")

    def of(
        self, reader: ConversationReader, channel: str, thread: Sequence[ThreadEntry]
    ) -> Mapping[str, Sequence[ShownMedia]]:
        """Return the attachments of the messages in a thread, by the messages' ids."""
        # The text of a message with attachments says so in brackets. That of most messages has none.
        named = [entry.message_id for entry in thread if entry.message_id is not None and "[" in entry.text]
        return {
            message_id: [
                ShownMedia(number, media.kind, media.mime_type, is_inline(media.mime_type))
                for number, media in enumerate(message.media)
            ]
            for message_id, payload in reader.payloads(named).items()
            if (message := self._read(channel, payload)) is not None
        }

    def fetch(
        self, reader: ConversationReader, channel: str, message_id: str, number: int
    ) -> FetchedMedia | None:
        """Return an attachment, from where it is kept or from its channel; None when there is none.

        Parameters:
          reader: has the message.
          channel: the name of the channel that it came through.
          message_id: the message.
          number: the attachment's place in it, from 0.

        Raises:
          MediaError: it cannot be fetched.
        """
        payload = reader.payloads([message_id]).get(message_id)
        message = None if payload is None else self._read(channel, payload)
        if message is None or number >= len(message.media):
            return None
        folder = self._library.folder or self._passing()
        fetched = self._library.fetch(message, number, folder=folder, timeout_s=self._timeout_s, is_new=False)
        if folder is not self._library.folder:
            os.utime(fetched.path)  # it is looked at now
            folder.sweep()
        return fetched

    def close(self) -> None:
        """End the threads, and delete what is not kept."""
        self.threads.shutdown(cancel_futures=True)
        with self._opening:
            if self._directory is not None:
                self._directory.cleanup()

    def _read(self, channel: str, payload: str) -> InboundMessage | None:
        """Read a message; None when this Recado cannot: there is no such channel, or it is stricter."""
        try:
            return self._channels[channel].read(decoded(payload))
        except (KeyError, InvalidMessage):
            return None

    def _passing(self) -> MediaFolder:
        """Return the folder of this process for what is not kept."""
        with self._opening:
            if self._directory is None:
                self._directory = tempfile.TemporaryDirectory(prefix=TEMPORARY)
            return MediaFolder(Path(self._directory.name), retention_s=STAYS_S)


def is_inline(mime_type: str) -> bool:
    """Whether a browser shows or plays it where it stands: never what may have code in it, such as SVG."""
    return mime_type in PICTURES or PLAYED.fullmatch(mime_type) is not None
