"""What becomes of a message that is enqueued: the record an engine stores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import dramatiq
from dramatiq import Actor, Message
from dramatiq.message import generate_unique_id

from .backend import QueueBackend
from .durable_message import DurableMessage
from .records import QueueMessage

#: As Dramatiq's own encoder writes it.
_to_json = json.JSONEncoder(separators=(",", ":")).encode


class EnqueuePlan(NamedTuple):
    """What enqueueing a message means.

    Attributes:
      message: the message; a copy under a new id where its own id is taken.
      delay: milliseconds before it may run.
      to_store: what is to be stored now.
      comes_back: the message in hand, if `message` is to take its place once all else was stored.
    """

    message: Any
    delay: int | None
    to_store: QueueMessage | None
    comes_back: DurableMessage | None = None

    def note_retry(self) -> None:
        """After all else was stored: put `message` in the place of the one in hand."""
        if self.comes_back is not None:
            self.comes_back.retry_later(self.message, self.delay or 0)


def to_store(
    message: Message[Any], delay: int | None, actors: Mapping[str, Actor[Any, Any]], *, waited_ms: int = 0
) -> QueueMessage:
    """Make the record of a message.

    Parameters:
      message: the message.
      delay: milliseconds before it may run.
      actors: by name, those that this process knows.
      waited_ms: how old it is already, in milliseconds.

    Raises:
      ValueError: it has a unique key, and nothing says for how long that is taken.
    """
    actor = actors.get(message.actor_name)
    unique_key, unique_for_ms = _uniqueness(message, actor)
    return QueueMessage(
        message_id=message.message_id,
        queue=message.queue_name,
        actor=message.actor_name,
        payload=_encoded(message),
        priority=actor.priority if actor else 0,
        delay_ms=int(delay or 0),  # engines count in whole milliseconds
        unique_key=unique_key,
        unique_for_ms=unique_for_ms,
        waited_ms=waited_ms,
    )


def what_exists(message: Message[Any], refused: QueueMessage, backend: QueueBackend) -> Message[Any] | None:
    """What an engine has where it stored nothing: the message itself, or the one that has its unique key.

    None: nothing any more. The key's time is over since, and now the message can be stored.
    """
    if refused.unique_key is None:
        return message
    holder = backend.holder_of(refused.unique_key)
    if holder is None:
        return None if backend.get(refused.message_id) is None else message
    if holder == message.message_id:
        return message
    existing = backend.get(holder)
    return message.copy(message_id=holder) if existing is None else Message.decode(existing.payload)


def under_another_id(message: Any) -> Message[Any]:
    """A copy for which an id that is taken is no hindrance."""
    copy: Message[Any] = message.copy(message_id=generate_unique_id())
    return copy


def waited_ms(message: Any, in_hand: DurableMessage) -> int:
    """How old a message is already: as old as the one in hand, if that one carried it from the beginning.

    The next of a pipeline and what follows a group were made together with the first, and age with it.
    """
    carried = [in_hand.options.get("pipe_target"), *(in_hand.options.get("group_callbacks") or ())]
    ids = [each.get("message_id") for each in carried if isinstance(each, dict)]
    return in_hand.age_ms if message.message_id in ids else 0


def _encoded(message: Message[Any]) -> bytes:
    """What `message.encode()` returns, at two thirds of the cost where the encoder is Dramatiq's own.

    For each message that asks the class for its fields, and makes a new JSON encoder.
    """
    if type(message) is Message and type(dramatiq.get_encoder()) is dramatiq.JSONEncoder:
        return _to_json(vars(message)).encode()
    return message.encode()


def _uniqueness(message: Message[Any], actor: Actor[Any, Any] | None) -> tuple[str | None, int]:
    """The unique key, which is its actor's own, and how many milliseconds it stays taken."""
    key = message.options.get("unique_key")
    if key is None:
        return None, 0
    unique_for = message.options.get("unique_for") or (actor.options.get("unique_for") if actor else None)
    if not unique_for:
        raise ValueError("unique_key needs unique_for, in milliseconds: how long the key stays taken")
    return f"{message.actor_name}:{key}", int(unique_for)
