"""A person answers in place of the assistant: taking over, writing, handing back.

What comes in meanwhile is recorded, and no model is asked. What the assistant had written and not yet sent is
withheld (`WITHHELD` in `reply.py`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence

import dramatiq
import structlog

from brokers.clock import now_ms
from brokers.errors import EngineError

from .announcing import announce_mode
from .budget import OVER_BUDGET
from .channels.channel import FIRST_CHANNEL
from .context import bind_contact
from .conversations.usage import DAY_MS, day_of
from .keys import ConversationKey, deciding_id, saying_id, with_message_id
from .metrics import metrics
from .notices.events import EventName
from .noting import note
from .reconciling import decide_reply
from .reply import NOTHING_ELSE, REPLY_STATES, Content, DecidedState, Reply, Template
from .reply_queue import send_next_reply
from .services import services
from .splitting import split

logger = structlog.get_logger(__name__)

#: Why a person answers who has taken over without being asked, for other people.
TAKEN_OVER = "taken over by {by}"

OPTED_OUT_ERROR = "The contact has opted out: nothing can be sent until they write START or the like."

KEY_TAKEN_ERROR = (
    "Another text was said under this key, and this one was not. If it is to be said as well, give it a key "
    "of its own."
)

#: Why nothing can be decided about a reply, and why a text cannot be said, for people.
NO_REPLY = "There is no reply {reply_id}."
NOTHING_TO_DECIDE = "There is nothing to decide about this reply: {words}."
EMPTY_TEXT = "There is nothing to send: the text is empty."
LONG_TEXT = "The text has {length} characters, and may have {most}."
BROKEN_TEXT = "The text has half of a surrogate pair, which no channel can send."

#: What people are told of a hand-over, by who asked for it. An operator needs no telling.
_EVENTS: Mapping[str, EventName] = {"contact": "person_asked_for", "limit": "limit_reached"}

#: Later than any time, in milliseconds since the epoch.
FOR_EVER_MS = 2**53

#: The longest note about a contact, in characters.
MOST_NOTE = 2_000

#: The longest text that a person can send at once, in parts.
MOST_PARTS = 5


class UnknownConversation(Exception):
    """There is no conversation of that key."""


class Undecidable(Exception):
    """There is nothing to be decided about a reply; the message says why."""


class OptedOutContact(Exception):
    """The contact has opted out. Only the contact can undo that; until then nothing is sent."""


class KeyTaken(Exception):
    """Another text was said under this key, and this one was not."""


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
    announce_mode("conversation.handed_back", conversation, asked_by="operator")
    if services().conversations.hand_back(conversation, silent_since=FOR_EVER_MS):
        logger.info("conversation handed back: the assistant answers again", by=by)


def hand_back_if_silent(conversation: str) -> bool:
    """Have the assistant answer again where a person was to, and took no part.

    That is so after HAND_BACK_AFTER_HOURS; and on the next day, where the budget of a day was used up.
    """
    is_handed_back = _hand_back_after_a_day_without_budget(conversation) or _hand_back_after_hours(
        conversation
    )
    if is_handed_back:
        # Only the store knows whether a person took part, so this is announced afterwards, and by a process
        # that dies in between not at all.
        announce_mode("conversation.handed_back", conversation, asked_by="silence", is_done=True)
    return is_handed_back


def _hand_back_after_hours(conversation: str) -> bool:
    hours = services().settings.hand_back_after_hours
    if hours is None:
        return False
    silent_since = now_ms() - int(hours * 3_600_000)
    is_handed_back = services().conversations.hand_back(conversation, silent_since=silent_since)
    if is_handed_back:
        logger.info("conversation handed back: no person took part for a while", hours=hours)
    return is_handed_back


def _hand_back_after_a_day_without_budget(conversation: str) -> bool:
    settings = services().settings
    if settings.budget_per_day is None and settings.budget_tokens_per_day is None:
        return False
    today_began = day_of(now_ms()) * DAY_MS
    is_handed_back = services().conversations.hand_back(
        conversation, silent_since=today_began, reason=OVER_BUDGET
    )
    if is_handed_back:
        logger.info("conversation handed back: there is a new day's budget")
    return is_handed_back


def note_hand_over(conversation: str, why: str, *, asked_by: str, about: str | None = None) -> bool:
    """Have a person answer from now on, and say so; return False for a contact who has opted out.

    Parameters:
      conversation: its key.
      why: for that person.
      asked_by: for the metrics: `contact`, `responder`, `operator`, a `limit`, or the `budget`.
      about: names this hand-over for other systems; None for the queue message in hand.
    """
    event = _EVENTS.get(asked_by)
    if event is not None and services().conversations.mode(conversation) != "nobody":
        note(event, conversation, why=why if asked_by == "limit" else None)
    announce_mode("conversation.handed_over", conversation, reason=why, asked_by=asked_by, about=about)
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


def say(
    conversation: str,
    text: str,
    *,
    by: str,
    key: str | None = None,
    takes_over: bool = False,
    template: Template | None = None,
) -> str:
    """Send what a person says, with the promises that an answer has.

    It returns when the text is in the queue, on disk.

    Parameters:
      conversation: its key.
      text: what to say. What is longer than one message of the channel becomes several.
      by: the person, for others.
      key: names this text: said again under the same key, it is sent once. None for a new one.
      takes_over: the person answers from now on.
      template: what is sent in place of the text, which people read in the history.

    Returns:
      The id of the (first) reply.

    Raises:
      ValueError: there is no text in it, too much, or half of a surrogate pair.
      UnknownConversation: nothing was sent.
      OptedOutContact: nothing was sent.
      KeyTaken: nothing was sent.
    """
    if services().conversations.reader.summary(conversation) is None:
        raise UnknownConversation(f"There is no conversation {conversation}.")
    content = NOTHING_ELSE if template is None else Content(template=template)
    return _say(conversation, text, by=by, key=key, takes_over=takes_over, content=content)


def write_first(
    key: ConversationKey, text: str, *, by: str, once: str | None = None, template: Template | None = None
) -> str:
    """Write to a contact, whether or not they have written before, with the promises that an answer has.

    Parameters:
      key: the contact, the address of ours that it goes from, and its account.
      text: what to say; with a template, what people read in the history in its place.
      by: the person, for others.
      once: names this text: said again under the same name, it is sent once. None for a new one.
      template: what is sent in place of the text.

    Returns:
      The id of the (first) reply.

    Raises:
      ValueError: there is no text in it, too much, or half of a surrogate pair.
      OptedOutContact: nothing was sent.
      KeyTaken: nothing was sent.
    """
    services().conversations.begin(str(key), channel_of(key))
    content = NOTHING_ELSE if template is None else Content(template=template)
    return _say(str(key), text, by=by, key=once, takes_over=False, content=content)


def channel_of(key: ConversationKey) -> str:
    """Return the name of the channel in which our address is; the first one where nobody wrote to it yet."""
    known = services().conversations.reader.addresses()
    return next((own.channel for own in known if (own.account, own.address) == key[:2]), FIRST_CHANNEL)


def decide(reply_id: str, state: DecidedState, *, by: str) -> Reply:
    """Have a reply sent again, or note that it was sent. It returns when that is in the queue, on disk.

    Parameters:
      reply_id: the reply.
      state: `pending`, to be sent again, in that person's name; or `sent`, as that person knows.
      by: the person, for others.

    Raises:
      Undecidable: there is no such reply, or it is in no state for that.
      OptedOutContact: nothing was sent.
    """
    reply = services().conversations.reply(reply_id)
    if reply is None:
        raise Undecidable(NO_REPLY.format(reply_id=reply_id))
    if reply.kind == "silence" or reply.state not in REPLY_STATES[state].by_hand:
        raise Undecidable(NOTHING_TO_DECIDE.format(words=REPLY_STATES[reply.state].label))
    if state == "pending" and reply.mode == "nobody":
        raise OptedOutContact(OPTED_OUT_ERROR)
    message = decide_reply.message(reply_id, state, by)
    services().broker.enqueue(with_message_id(message, deciding_id(reply_id, state)))
    return reply


def reply_id_of(conversation: str, key: str) -> str:
    """Return the id of the reply that is said under a key."""
    return hashlib.sha256(f"{conversation}\n{key}".encode()).hexdigest()[:32]


def _say(
    conversation: str, text: str, *, by: str, key: str | None, takes_over: bool, content: Content
) -> str:
    if services().conversations.mode(conversation) == "nobody":
        raise OptedOutContact(OPTED_OUT_ERROR)
    parts = _parts(conversation, text, content)
    reply_id = uuid.uuid4().hex if key is None else reply_id_of(conversation, key)
    _refuse_another_text(reply_id, parts)
    message = say_by_hand.message(conversation, reply_id, text, by, takes_over, content=str(content))
    services().broker.enqueue(with_message_id(message, saying_id(reply_id, f"{text}{content}")))
    try:  # now, for those who look
        _write_down(conversation, reply_id, parts, by=by, takes_over=takes_over, content=content)
    except EngineError as error:  # the message in the queue does it as soon as the store can be used
        logger.warning("what a person says is in the queue, and not in the conversation yet", why=str(error))
    return reply_id


def _limit(conversation: str) -> int:
    """Return the longest text of a conversation's channel."""
    return services().channel(channel_of(ConversationKey.read(conversation))).max_characters


def _parts(conversation: str, text: str, content: Content) -> Sequence[str]:
    """Split what a person says into messages of the channel.

    Raises:
      ValueError: it cannot be said.
    """
    if not text.strip():
        raise ValueError(EMPTY_TEXT)
    limit = _limit(conversation)
    most = limit * (MOST_PARTS if content.template is None else 1)
    if len(text) > most:
        raise ValueError(LONG_TEXT.format(length=len(text), most=most))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(BROKEN_TEXT) from None
    return split(text, limit, most=MOST_PARTS)


def part_ids(reply_id: str, count: int) -> Sequence[str]:
    """Return the ids of the replies that a text of so many parts becomes."""
    return [reply_id if number == 1 else f"{reply_id}-{number}" for number in range(1, count + 1)]


def _refuse_another_text(reply_id: str, parts: Sequence[str]) -> None:
    """Refuse a text when another one was said under its key.

    Raises:
      KeyTaken: so it was.
    """
    said = [services().conversations.reply(part_id) for part_id in part_ids(reply_id, len(parts) + 1)]
    # Of the same text there may be the first parts only, if its writer crashed between two.
    for reply, part in zip(said, [*parts, None], strict=True):
        if reply is not None and reply.body != part:
            raise KeyTaken(KEY_TAKEN_ERROR)


def _write_down(
    conversation: str, reply_id: str, parts: Sequence[str], *, by: str, takes_over: bool, content: Content
) -> None:
    """Write down what a person says. A second time changes nothing.

    Raises:
      UnknownConversation: it is gone.
      KeyTaken: another text was written under its id at the same time. The first to be written is said.
    """
    conversations = services().conversations
    if takes_over and conversations.mode(conversation) == "assistant":
        note_hand_over(conversation, TAKEN_OVER.format(by=by), asked_by="operator", about=reply_id)
    elif (summary := conversations.reader.summary(conversation)) and summary.mode_reason == OVER_BUDGET:
        # From now on this is the person's, also tomorrow.
        conversations.set_mode(conversation, "person", TAKEN_OVER.format(by=by))
    for part_id, part in zip(part_ids(reply_id, len(parts)), parts, strict=True):
        carries = content if part_id == reply_id else NOTHING_ELSE
        written = conversations.write(
            conversation, part_id, part, kind="person", written_by=by, content=carries
        )
        if written is None:
            raise UnknownConversation(f"There is no conversation {conversation}.")
        if written.body != part:
            raise KeyTaken(KEY_TAKEN_ERROR)


@dramatiq.actor(queue_name="replies", priority=5, throws=KeyTaken)
def say_by_hand(
    conversation: str, reply_id: str, text: str, by: str, takes_over: bool, *, content: str = ""
) -> None:
    """Write down what a person says, and have it sent. Running it again changes nothing.

    Parameters:
      conversation: its key.
      reply_id: of the first part.
      text: what is said.
      by: who says it.
      takes_over: the person answers from now on.
      content: what the first part carries beside its text, as it is kept.

    Raises:
      UnknownConversation: it is gone.
      KeyTaken: another text was said under its key. The dead letter has this one.
    """
    bind_contact(ConversationKey.read(conversation).contact, reply_id=reply_id)
    carried = Content.read(content)
    parts = _parts(conversation, text, carried)
    _refuse_another_text(reply_id, parts)
    _write_down(conversation, reply_id, parts, by=by, takes_over=takes_over, content=carried)
    logger.info("a person writes", by=by)
    send_next_reply(conversation)
