"""Where attachments come from: the folder in which they are kept, or else the channel."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from brokers.clock import now_ms

from ..channels import InboundMessage
from ..conversation import FetchedMedia, Media, MediaError
from ..metrics import metrics
from ..spans import calling
from .folder import MediaFolder

logger = structlog.get_logger(__name__)

#: What directories for attachments that are not kept are called. One that a crash left behind is swept.
TEMPORARY = "recado-media-"

#: An attachment of a message that is younger than this, in milliseconds, may not be at the channel yet.
NEW_MS = 60_000


class MediaSource(Protocol):
    """Fetches what is attached to a channel's messages. Many threads call it at once."""

    def fetch(
        self, media: Media, *, account: str, into: Path, timeout_s: float, is_new: bool
    ) -> FetchedMedia:
        """Fetch an attachment into a new file.

        Parameters:
          media: the attachment.
          account: the account of the channel that received it.
          into: the file, which is not there yet.
          timeout_s: how long that may take, in seconds.
          is_new: the message has just come in, and its attachment may be there a moment later.

        Raises:
          MediaError: it cannot be fetched, and there is no file.
        """
        ...


class MediaLibrary:
    """Finds attachments, or fetches them.

    Parameters:
      sources: what fetches the attachments of a channel, by the channel's name.
      folder: keeps what was fetched; None: nothing is kept.
      timeout_s: how long all attachments of what is being answered may take together, in seconds.
    """

    def __init__(
        self,
        sources: Mapping[str, MediaSource] | None = None,
        *,
        folder: MediaFolder | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self._sources = dict(sources or {})
        self._timeout_s = timeout_s
        self.folder = folder

    @contextmanager
    def opened(self) -> Iterator[Attachments]:
        """Give what fetches attachments inside. What is not kept is deleted at the end."""
        with ExitStack() as stack:
            attachments = Attachments(self, stack, timeout_s=self._timeout_s)
            try:
                yield attachments
            finally:
                attachments.close()

    def fetch(
        self, message: InboundMessage, number: int, *, folder: MediaFolder, timeout_s: float, is_new: bool
    ) -> FetchedMedia:
        """Return an attachment, from a folder where it is, or from its channel into that folder.

        Parameters:
          message: the message that has it.
          number: its place among the message's attachments, from 0.
          folder: keeps it.
          timeout_s: how long that may take, in seconds.
          is_new: as of `MediaSource.fetch`.

        Raises:
          MediaError: it cannot be fetched.
        """
        try:
            if (kept := folder.find(message.message_id, number)) is not None:
                return FetchedMedia(kept.path, message.media[number].mime_type, kept.size)
            with folder.adding(message.message_id, number) as (part, whole):
                fetched = self._from_channel(message, number, part, timeout_s=timeout_s, is_new=is_new)
            return replace(fetched, path=whole)
        except OSError as error:
            raise MediaError(f"it cannot be written to the disk: {error.strerror}") from error

    def _from_channel(
        self, message: InboundMessage, number: int, into: Path, *, timeout_s: float, is_new: bool
    ) -> FetchedMedia:
        """Fetch an attachment, and say how that ended."""
        media, source = message.media[number], self._sources.get(message.channel)
        if source is None:
            raise MediaError("there are no credentials to fetch it with")
        try:
            with calling("fetch media", {"recado.media_kind": media.kind}):
                fetched = source.fetch(
                    media, account=message.account, into=into, timeout_s=timeout_s, is_new=is_new
                )
        except MediaError as error:
            metrics().media.labels(media.kind, "failed").inc()
            logger.warning("attachment not fetched", kind=media.kind, why=str(error))
            raise
        metrics().media.labels(media.kind, "fetched").inc()
        return fetched


class Attachments:
    """Fetches the attachments of one conversation while it is answered, each of them once.

    Parameters:
      library: fetches them.
      stack: deletes what is not kept.
      timeout_s: how long all of them may take together, in seconds.
    """

    def __init__(self, library: MediaLibrary, stack: ExitStack, *, timeout_s: float) -> None:
        self._library = library
        self._stack = stack
        self._timeout_s = timeout_s
        self._left_s = timeout_s
        self._folder = library.folder
        self._known: dict[tuple[str, int], FetchedMedia | MediaError] = {}
        self._is_closed = False
        self._fetching = threading.Lock()

    @property
    def left_s(self) -> float:
        """How much time is left for them, in seconds."""
        return self._left_s

    def of(self, message: InboundMessage, *, at_ms: int) -> tuple[Media, ...]:
        """Return a message's attachments, with the way to fetch them.

        Parameters:
          message: the message.
          at_ms: when it came in, in milliseconds since the epoch.
        """
        return tuple(
            replace(media, fetcher=partial(self._fetch, message, number, at_ms))
            for number, media in enumerate(message.media)
        )

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time inside as spent on attachments."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._left_s -= time.monotonic() - began

    def close(self) -> None:
        """Fetch nothing any more."""
        self._is_closed = True

    def _fetch(self, message: InboundMessage, number: int, at_ms: int) -> FetchedMedia:
        key = (message.message_id, number)
        with self._fetching:
            if key not in self._known:
                self._known[key] = self._fetched(message, number, is_new=now_ms() - at_ms < NEW_MS)
            known = self._known[key]
        if isinstance(known, MediaError):
            raise known
        return known

    def _fetched(self, message: InboundMessage, number: int, *, is_new: bool) -> FetchedMedia | MediaError:
        if self._is_closed:
            return MediaError("the answer is given already, and its files are gone")
        if self._left_s <= 0:
            return MediaError(f"the attachments together took longer than {self._timeout_s:.0f} s")
        try:
            with self.timed():
                return self._library.fetch(
                    message, number, folder=self._place(), timeout_s=self._left_s, is_new=is_new
                )
        except MediaError as error:
            return error

    def _place(self) -> MediaFolder:
        """Return where files go: the folder, or a new one that is deleted at the end."""
        if self._folder is None:
            path = self._stack.enter_context(tempfile.TemporaryDirectory(prefix=TEMPORARY))
            self._folder = MediaFolder(Path(path), retention_s=float("inf"))
        return self._folder
