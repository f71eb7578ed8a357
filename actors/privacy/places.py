"""Lists the places where something of a person is kept. Another place joins this list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext

from brokers.sqlite import SQLiteBackend

from ..services import Services
from .conversations_place import ConversationsPlace
from .media_place import MediaPlace
from .outbox_place import OutboxPlace
from .place import Place
from .queue_place import QueuePlace, of_spooled


@contextmanager
def places(services: Services, *more: Place) -> Iterator[Sequence[Place]]:
    """Open the places of an installation, in the order in which they are erased, and close them afterwards.

    The queue and the attachments come before the conversations: a message that is about a reply names only
    the reply, and whose that is stands in its conversation.

    Parameters:
      services: the installation.
      more: places that only the caller knows, such as the audit log, which is the API's.
    """
    settings, backend, media = services.settings, services.broker.backend, services.media.folder
    has_spool = backend.capabilities.can_be_spooled and settings.spool_path.exists()
    # Beside the one that the API has open: both use the same file.
    with closing(SQLiteBackend(settings.spool_path)) if has_spool else nullcontext() as spool:
        yield [
            *([] if spool is None else [QueuePlace(spool, name="spool", payload_of=of_spooled)]),
            QueuePlace(backend),
            *([] if media is None else [MediaPlace(media, services.conversations)]),
            ConversationsPlace(services.conversations),
            OutboxPlace(settings.console_outbox_path),
            *more,
        ]
