"""Ids and keys: made here, read here, and nowhere else. They are stored names, so none ever changes."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from dramatiq import Message


class ConversationKey(NamedTuple):
    """A conversation: one contact at one of our addresses, under one account.

    Accounts of different channels have different names, so the key of a conversation needs no channel.
    """

    account: str
    address: str
    contact: str

    def __str__(self) -> str:
        return f"{self.account}|{self.address}|{self.contact}"

    @classmethod
    def read(cls, key: str) -> ConversationKey:
        """Read a key that `str` made. No account has a bar in it, and no address of ours."""
        account, _, rest = key.partition("|")
        address, _, contact = rest.partition("|")
        return cls(account, address, contact)


class KnownContact(NamedTuple):
    """A contact at one of our addresses whom the channel knows by an id, whatever address they write from."""

    account: str
    address: str
    id: str


class MessageId(NamedTuple):
    """The id of an inbound message, and of the queue message that carries it.

    A repeated webhook makes the same id again, so that the queue takes it once.
    """

    account: str
    external_id: str

    def __str__(self) -> str:
        return f"{self.account}.{self.external_id}"

    @classmethod
    def read(cls, message_id: str) -> MessageId:
        """Read an id that `str` made. No account has a point in it."""
        account, _, external_id = message_id.partition(".")
        return cls(account, external_id)


def opt_out_digest(conversation: str) -> str:
    """Return by what an opt-out is remembered when all else of its conversation was erased.

    No number can be read from it. A number that is guessed can be tried, together with our address and the
    account, whose id has 128 random bits.

    Parameters:
      conversation: its key.
    """
    return hashlib.sha256(f"opt-out\n{conversation}".encode(errors="surrogatepass")).hexdigest()


def contact_digest(account: str, address: str, contact_id: str) -> str:
    """Return by what the opt-out of a contact is remembered whose address may change: as `opt_out_digest`.

    Parameters:
      account, address: ours.
      contact_id: the channel's id of the contact.
    """
    return opt_out_digest(f"{account}|{address}|id {contact_id}")


def sending_id(reply_id: str) -> str:
    """The id of the queue message that sends a reply: enqueueing it twice is harmless."""
    return f"send-{reply_id}"


def saying_id(reply_id: str, text: str) -> str:
    """The id of the queue message that carries what a person says.

    Of two texts that are said at the same time under one key, each has a message of its own. With one id for
    both, the second would not be stored; and if it was written down first, nothing would send it.
    """
    return f"say-{reply_id}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def deciding_id(reply_id: str, state: str) -> str:
    """The id of the queue message that carries what a person decided about a reply."""
    return f"decide-{reply_id}-{state}"


def noticing_id(message_id: str) -> str:
    """The id of the reply that answers a keyword."""
    return f"notice-{message_id}"


def closed_notice_id(conversation: str, *, closed_since: int) -> str:
    """The id of the reply that tells a contact that the address is closed: one in each closed period."""
    return f"closed-{closed_since}-{hashlib.sha256(conversation.encode()).hexdigest()[:32]}"


def notifying_id(receiver: str, about: str) -> str:
    """The id of the queue message that has a receiver of notices told.

    Parameters:
      receiver: its name.
      about: the event that it is to be told of, or when it is to be told.
    """
    return f"notify-{receiver}-{about}"


def event_id(event_type: str, about: str) -> str:
    """The id of an event, which names a fact: announced again, it is the same. No number can be read from it.

    Parameters:
      event_type: such as `reply.sent`.
      about: what it is about, such as the id of a reply and the channel's id of its sending.
    """
    named = f"{event_type}\n{about}".encode(errors="surrogatepass")
    return f"evt_{hashlib.sha256(named).hexdigest()[:32]}"


def delivering_id(endpoint: str, event: str) -> str:
    """The id of the queue message that delivers an event to one of EVENTS_URL.

    Parameters:
      endpoint: its name.
      event: the event's id.
    """
    return f"deliver-{endpoint}-{event}"


def reconciling_id(reply_id: str, *, sending_at: int | None) -> str:
    """The id of the queue message that finds out whether a reply was sent.

    There is one per sending: when a reply was sent again, the look that led to that may still be queued.
    """
    return f"reconcile-{reply_id}-{sending_at}"


def with_message_id(message: Message[Any], message_id: str) -> Message[Any]:
    """Copy a queue message under an id of our choosing: enqueued twice, it is there once."""
    return Message(**{**message.asdict(), "message_id": message_id})
