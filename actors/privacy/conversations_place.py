"""Exports and erases the conversations with a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..conversations import ConversationKeeper, ConversationStore, KeptConversation
from ..conversations.usage import DAY_MS
from ..keys import ConversationKey
from .person import Person
from .place import Erased
from .times import iso, with_times


class ConversationsPlace:
    """The conversations with a person, at each of our addresses.

    Parameters:
      store: the conversations.
    """

    name = "conversations"

    def __init__(self, store: ConversationStore) -> None:
        self._keeper = store.keeper

    def export(self, person: Person) -> Sequence[Mapping[str, Any]]:
        found = (self._keeper.kept(key) for key in self._keys(person))
        return [_exported(kept) for kept in found if kept is not None]

    def erase(self, person: Person) -> Erased:
        counts = {"conversations": 0, "messages": 0, "replies": 0}
        for key in self._keys(person):
            for what, count in self._keeper.erase(key)._asdict().items():
                counts[what] += count
        return Erased(counts, left=self._keeper.leave_no_trace())

    def other_names(self, person: Person) -> list[str]:
        """Return by what else the conversations know a person: an address of later, the channel's id."""
        return [name for key in self._keys(person) for name in self._keeper.other_names(key)]

    def contacts_like(self, person: Person) -> list[str]:
        """Return contacts whose numbers end like a person's: other people, or other forms of the number."""
        if not person.is_number:
            return []
        contacts = {ConversationKey.read(key).contact for key in self._keeper.keys(person.end)}
        return sorted(each for each in contacts if each.endswith(person.end) and not person.has(each))

    def _keys(self, person: Person) -> list[str]:
        return keys_of(self._keeper, person)


def keys_of(keeper: ConversationKeeper, person: Person) -> list[str]:
    """Return the keys of the conversations with a person, by whatever name of theirs."""
    return [
        key
        for key in keeper.keys(person.name)
        if person.has(ConversationKey.read(key).contact) or any(map(person.has, keeper.other_names(key)))
    ]


def _exported(kept: KeptConversation) -> dict[str, Any]:
    return {
        **with_times(kept._asdict()),
        "metadata": json.loads(kept.metadata),
        "messages": [
            {**with_times(message._asdict()), "payload": json.loads(message.payload)}
            for message in kept.messages
        ],
        "replies": [
            {**with_times(reply._asdict()), "tool_calls": json.loads(reply.tool_calls or "[]")}
            for reply in kept.replies
        ],
        "usage": [{"day": iso(each.day * DAY_MS), **each.sums._asdict()} for each in kept.usage],
    }
