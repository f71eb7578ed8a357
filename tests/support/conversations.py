"""Things that are said, to try conversations with, and where they are kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.channels import DeliveryStatus, InboundMessage
from actors.channels.twilio.delivery import read_status
from actors.channels.twilio.inbound import read
from actors.conversation import decoded
from actors.conversations import ConversationStore, Hold, SQLiteConversationStore
from actors.conversations.redis import RedisConversationStore, redis_conversation_store
from actors.conversations.sharded import ShardedConversationStore
from actors.reply import Reply
from ops.webhook import message_parameters

#: Opens the same store again and again, as processes do. Pickles, so that they can.
OpenStore = Callable[..., ConversationStore]


@dataclass(frozen=True)
class InFile:
    """Opens the store in a file."""

    path: Path

    def __call__(self, **options: Any) -> SQLiteConversationStore:
        return SQLiteConversationStore(self.path, **options)


@dataclass(frozen=True)
class OnServer:
    """Opens the store in a namespace on a server of this machine, or what listens there in its place."""

    port: int
    namespace: str

    def __call__(self, **options: Any) -> RedisConversationStore:
        url = f"redis://127.0.0.1:{self.port}/0"
        return RedisConversationStore(url, namespace=self.namespace, **options)


@dataclass(frozen=True)
class OnShards(OnServer):
    """Opens the store in three namespaces, as far as anybody can tell on three nodes of a cluster."""

    def __call__(self, **options: Any) -> ShardedConversationStore:  # type: ignore[override]
        url = f"redis://127.0.0.1:{self.port}/0"
        store = redis_conversation_store(url, namespace=self.namespace, shards=3, **options)
        assert isinstance(store, ShardedConversationStore)
        return store


CONTACT = "whatsapp:+5511900001234"
ADDRESS = "whatsapp:+15005550006"

_sids = itertools.count(1)


def inbound(
    text: str = "Oi", *, sid: str | None = None, contact: str = CONTACT, **more: str
) -> InboundMessage:
    """A message from a contact."""
    sid = sid or f"SM{next(_sids):032x}"
    parameters = message_parameters(text, sender=contact, to=ADDRESS, message_sid=sid)
    return read({**parameters, **more})


CONVERSATION = inbound().conversation
ACCOUNT = inbound().account

_webhooks = itertools.count(1_700_000_000_000)


def append(store: ConversationStore, message: InboundMessage) -> bool:
    """Append a message, whose webhook came in after those of all before."""
    return store.append(message, received_at=next(_webhooks))


def waiting(store: ConversationStore) -> list[InboundMessage]:
    """What waits for an answer in the conversation, as it came in."""
    return [read(decoded(utterance.payload)) for utterance in store.unanswered(CONVERSATION)]


def delivery(status: str, *, sid: str = "SM1", code: str = "") -> DeliveryStatus:
    """What Twilio says of a delivery."""
    return read_status({"MessageSid": sid, "MessageStatus": status, "ErrorCode": code, "To": CONTACT})


def next_reply(store: ConversationStore, conversation: str) -> Reply | None:
    """Return the conversation's next reply to send."""
    reply_id = store.next_to_send(conversation)
    return None if reply_id is None else store.reply(reply_id)


def always(_holder: str) -> bool:
    """Every holder is live."""
    return True


def never(_holder: str) -> bool:
    """No holder is live."""
    return False


def held(store: ConversationStore, holder: str = "message-1") -> Hold:
    """A hold on the conversation, which must be free."""
    hold = store.hold(CONVERSATION, holder, is_live=always)
    assert hold is not None
    return hold


def answered(store: ConversationStore, *texts: str, body: str = "Olá!") -> Reply:
    """Append messages, and answer them with one reply."""
    for text in texts or ("Oi",):
        append(store, inbound(text))
    hold = held(store)
    reply = store.answer(hold, store.turn(hold, history_limit=20), body, kind="answer").reply
    assert store.finish(hold).is_done
    return reply
