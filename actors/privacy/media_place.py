"""Exports and erases the attachments that are kept of a person's messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..conversations import ConversationStore
from ..media import MediaFolder
from .conversations_place import keys_of
from .person import Person
from .place import Erased


class MediaPlace:
    """The folder of attachments. It is erased before the conversations, which tell whose they are.

    Parameters:
      folder: the folder.
      store: the conversations.
    """

    name = "media"

    def __init__(self, folder: MediaFolder, store: ConversationStore) -> None:
        self._folder = folder
        self._keeper = store.keeper

    def export(self, person: Person) -> Sequence[Mapping[str, Any]]:
        return [
            {"message_id": message_id, "file": str(path)}
            for message_id in self._message_ids(person)
            for path in self._folder.files_of(message_id)
        ]

    def erase(self, person: Person) -> Erased:
        return Erased({"files": sum(map(self._folder.delete, self._message_ids(person)))})

    def _message_ids(self, person: Person) -> Iterator[str]:
        for key in keys_of(self._keeper, person):
            kept = self._keeper.kept(key)
            yield from () if kept is None else (message.message_id for message in kept.messages)
