"""Makes what a responder is given of what is stored of a conversation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .channels import Channel, InboundMessage
from .conversation import Contact, Conversation, Message, Messages, decoded
from .conversations import Hold, Turn, Utterance
from .keys import ConversationKey
from .media import Attachments
from .reply import NEVER_ARRIVED
from .services import services

#: How much of a message is quoted that another one replies to, in characters.
MAX_QUOTE = 300


def as_conversation(
    hold: Hold,
    turn: Turn,
    channel: Channel,
    attachments: Attachments,
    latest: InboundMessage,
    *,
    language: str | None = None,
) -> Conversation:
    """Make what a responder is given of what is stored.

    Parameters:
      latest: the last of what is unanswered, as the channel reads it.
    """
    key = ConversationKey.read(hold.conversation)
    to_message = partial(_message, channel=channel, attachments=attachments)

    def to_message_with_quote(said: Utterance) -> Message:
        message = to_message(said, inbound=latest if said is turn.unanswered[-1] else None)
        quoted = message.reply_to and services().conversations.text_of(key.account, message.reply_to)
        if not quoted:
            return message
        return replace(message, text=f'[in reply to: "{_short(quoted)}"]\n{message.text}')

    return Conversation(
        contact=Contact(key.contact, latest.contact.name, latest.contact.id),
        address=key.address,
        account=key.account,
        channel=turn.channel,
        history=Messages([said for said in turn.history if said.state not in NEVER_ARRIVED], to_message),
        unanswered=Messages(turn.unanswered, to_message_with_quote),
        metadata=turn.metadata,
        language=language,
    )


def _short(text: str) -> str:
    """Quote no more of a message than it takes to know which one is meant."""
    return text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 1] + "…"


def _message(
    said: Utterance, *, channel: Channel, attachments: Attachments, inbound: InboundMessage | None = None
) -> Message:
    """Make a message of what is stored of it. Its text is the one that was stored.

    Parameters:
      inbound: the same message, where the channel has read it before.
    """
    if said.payload is None:
        return Message(said.author, said.text, at_ms=said.at_ms, message_id=said.message_id)
    inbound = channel.read(decoded(said.payload)) if inbound is None else inbound
    media = attachments.of(inbound, at_ms=said.at_ms)
    return replace(inbound.as_message(at_ms=said.at_ms, text=said.text), media=media)
