"""A person answers in place of the assistant: taking over, writing, handing back.

What comes in meanwhile is recorded, and no model is asked. What the assistant had written and not yet sent is
withheld (`WITHHELD` in `reply.py`).
"""

from __future__ import annotations

import hashlib
import uuid

import dramatiq
import structlog

from brokers.clock import now_ms
from brokers.errors import EngineError

from .context import bind_contact
from .conversations import Summary
from .deliveries import send_next_reply
from .keys import ConversationKey, saying_id, with_message_id
from .metrics import metrics
from .services import services
from .splitting import split

logger = structlog.get_logger(__name__)

#: Why a person answers who has taken over without being asked, for other people.
TAKEN_OVER = "taken over by {by}"

OPTED_OUT_ERROR = "The contact has opted out: nothing can be sent until they write START or the like."

#: Later than any time, in milliseconds since the epoch.
FOR_EVER_MS = 2**53

#: The longest text that a person can send at once, in parts.
MOST_PARTS = 5


class UnknownConversation(Exception):
    """There is no conversation of that key."""


class OptedOutContact(Exception):
    """The contact has opted out. Only the contact can undo that; until then nothing is sent."""


def take_over(conversation: str, *, by: str) -> None:
    """Have a person answer from now on.

    Parameters:
      conversation: its key.
      by: the person, for others.

    Raises:
      OptedOutContact: nothing was changed.
    """
    if not note_hand_over(conversation, TAKEN_OVER.format(by=by), asked_by="operator"):
        raise OptedOutContact(OPTED_OUT_ERROR)


def hand_back(conversation: str, *, by: str) -> None:
    """Have the assistant answer again, from what comes in next. Harmless where it does so already."""
    if services().conversations.hand_back(conversation, silent_since=FOR_EVER_MS):
        logger.info("conversation handed back: the assistant answers again", by=by)


def hand_back_if_silent(conversation: str) -> bool:
    """Have the assistant answer again where a person was to, and took no part for HAND_BACK_AFTER_HOURS."""
    hours = services().settings.hand_back_after_hours
    if hours is None:
        return False
    silent_since = now_ms() - int(hours * 3_600_000)
    is_handed_back = services().conversations.hand_back(conversation, silent_since=silent_since)
    if is_handed_back:
        logger.info("conversation handed back: no person took part for a while", hours=hours)
    return is_handed_back


def note_hand_over(conversation: str, why: str, *, asked_by: str) -> bool:
    """Have a person answer from now on, and say so; return False for a contact who has opted out.

    Parameters:
      conversation: its key.
      why: for that person.
      asked_by: for the metrics: `contact`, `responder`, `operator`, or a `limit`.
    """
    is_changed = services().conversations.set_mode(conversation, "person", why)
    if is_changed:
        count_hand_over(why, asked_by=asked_by)
    return is_changed


def count_hand_over(why: str, *, asked_by: str) -> None:
    """Say that a person answers from now on."""
    metrics().hand_overs.labels(asked_by).inc()
    if asked_by == "operator":
        logger.info("conversation taken over: the assistant is silent in it", why=why)
    else:
        logger.warning("a person is needed: the assistant is silent in this conversation", why=why)


def say(conversation: str, text: str, *, by: str, key: str | None = None, takes_over: bool = False) -> str:
    """Send what a person says, with the promises that an answer has.

    It returns when the text is in the queue, on disk.

    Parameters:
      conversation: its key.
      text: what to say. What is longer than one message of the channel becomes several.
      by: the person, for others.
      key: names this text: said again under the same key, it is sent once. None for a new one.
      takes_over: the person answers from now on.

    Returns:
      The id of the (first) reply.

    Raises:
      ValueError: there is no text in it, or too much.
      UnknownConversation: nothing was sent.
      OptedOutContact: nothing was sent.
    """
    summary = _writable(conversation)
    if not text.strip():
        raise ValueError("There is nothing to send: the text is empty.")
    most = services().channel(summary.channel).max_characters * MOST_PARTS
    if len(text) > most:
        raise ValueError(f"The text has {len(text)} characters, and may have {most}.")
    reply_id = uuid.uuid4().hex if key is None else reply_id_of(conversation, key)
    message = say_by_hand.message(conversation, reply_id, text, by, takes_over)
    services().broker.enqueue(with_message_id(message, saying_id(reply_id)))
    try:
        _write_down(summary, reply_id, text, by=by, takes_over=takes_over)  # now, for those who look
    except EngineError as error:  # the message in the queue does it as soon as the store can be used
        logger.warning("what a person says is in the queue, and not in the conversation yet", why=str(error))
    return reply_id


def reply_id_of(conversation: str, key: str) -> str:
    """Return the id of the reply that is said under a key."""
    return hashlib.sha256(f"{conversation}\n{key}".encode()).hexdigest()[:32]


def _writable(conversation: str) -> Summary:
    summary = services().conversations.reader.summary(conversation)
    if summary is None:
        raise UnknownConversation(f"There is no conversation {conversation}.")
    if summary.mode == "nobody":
        raise OptedOutContact(OPTED_OUT_ERROR)
    return summary


def _write_down(summary: Summary, reply_id: str, text: str, *, by: str, takes_over: bool) -> None:
    """Write down what a person says. A second time changes nothing."""
    conversations = services().conversations
    if takes_over and summary.mode == "assistant":
        note_hand_over(summary.conversation, TAKEN_OVER.format(by=by), asked_by="operator")
    limit = services().channel(summary.channel).max_characters
    for number, part in enumerate(split(text, limit, most=MOST_PARTS)):
        part_id = reply_id if number == 0 else f"{reply_id}-{number + 1}"
        conversations.write(summary.conversation, part_id, part, kind="person", written_by=by)


@dramatiq.actor(queue_name="replies", priority=5)
def say_by_hand(conversation: str, reply_id: str, text: str, by: str, takes_over: bool) -> None:
    """Write down what a person says, and have it sent. Running it again changes nothing.

    Parameters:
      conversation: its key.
      reply_id: of the first part.
      text: what is said.
      by: who says it.
      takes_over: the person answers from now on.

    Raises:
      UnknownConversation: it is gone.
    """
    bind_contact(ConversationKey.read(conversation).contact, reply_id=reply_id)
    summary = services().conversations.reader.summary(conversation)
    if summary is None:
        raise UnknownConversation(f"There is no conversation {conversation}.")
    _write_down(summary, reply_id, text, by=by, takes_over=takes_over)
    logger.info("a person writes", by=by)
    send_next_reply(conversation)
