"""Conversations: lists of them, one, and who answers in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field

from actors import people
from actors.conversation import Author, Mode
from actors.conversations import Summary
from actors.conversations.reader import PageStart
from actors.conversations.search import TextsPlace
from actors.keys import ConversationKey
from actors.phone_numbers import contact_query, region_of
from actors.reply import ReplyState

from .callers import Agent, Caller, Reader
from .context import Context, Time
from .cursors import USUAL, Cursor, Limit, LimitInBody, from_cursor, to_cursor
from .problems import Refused, documented

IdempotencyKey = Annotated[
    str,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="names this text in this conversation: sent again under the same key, it is kept once",
    ),
]


class Conversation(BaseModel):
    """One contact at one of our addresses, under one account. These three together identify it for good."""

    message_id: str = Field(
        description="of one of its newest messages: names it in addresses, as the id of each of them does"
    )
    account: str
    address: str = Field(description="ours")
    contact: str = Field(description="the customer's address")
    channel: str
    mode: Mode = Field(
        description="who answers: the assistant, a person, or nobody (the contact has opted out)"
    )
    mode_reason: str | None = Field(description="why it is not the assistant")
    last_at: Time = Field(description="when something was last said")
    last_author: Author = Field(description="who said it: the contact, or us")
    last_text: str
    unanswered: int = Field(description="messages that wait for an answer")
    reply_state: ReplyState | None = Field(description="of the newest reply")
    delivery_status: str | None = Field(description="of the newest reply: the channel's last word")


class ConversationPage(BaseModel):
    """A page of conversations, those in which something was said last first."""

    items: list[Conversation]
    next_cursor: str | None = Field(description="of the next page; null: there is none")


class ConversationSearch(BaseModel):
    """What is looked for. The contact's number stands in the body, since addresses are logged everywhere."""

    model_config = ConfigDict(extra="forbid", strict=True)

    contact: str = Field(
        min_length=1,
        max_length=200,
        description="a part of the contact's name, or a number in any usual form: +55 (11) 90000-1234",
    )
    mode: Mode | None = Field(None, description="only conversations that it answers")
    limit: LimitInBody = USUAL
    cursor: Cursor | None = None


class TextSearch(BaseModel):
    """What is looked for in what was said. It stands in the body, since addresses are logged everywhere."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(
        min_length=1,
        max_length=200,
        description="words that all have to be in the text, whatever their accents; four letters or more are "
        "also found as the beginning of a word",
    )
    limit: LimitInBody = USUAL
    cursor: Cursor | None = None


class FoundMessage(BaseModel):
    """A text that was said: a message of a contact's, or a reply."""

    message_id: str = Field(description="names its conversation in addresses")
    contact: str = Field(description="the customer's address")
    contact_name: str | None
    author: Author = Field(description="who said it: the contact, or us")
    text: str
    at: Time = Field(description="when it came in, or was written")


class FoundMessagePage(BaseModel):
    """A page of texts, newest first."""

    items: list[FoundMessage]
    next_cursor: str | None = Field(description="of the next page; null: there is none")
    bounds: str | None = Field(description="what was not searched, for people; null: everything was")


def conversation_routes(context: Context) -> APIRouter:
    """Make the operations on conversations."""
    router = APIRouter(prefix="/conversations", tags=["conversations"])

    @router.get("", responses=documented())
    async def list_conversations(
        _: Reader,
        mode: Annotated[Mode | None, Query(description="only conversations that it answers")] = None,
        limit: Limit = USUAL,
        cursor: Annotated[Cursor | None, Query()] = None,
    ) -> ConversationPage:
        """List conversations, those in which something was said last first."""
        return await context.run(partial(_all, context, mode, limit, cursor))

    @router.post("/search", responses=documented())
    async def search_conversations(_: Reader, what: ConversationSearch) -> ConversationPage:
        """Find conversations by their contact."""
        return await context.run(partial(_with_contact, context, what))

    @router.post("/search-texts", responses=documented())
    async def search_texts(_: Reader, what: TextSearch) -> FoundMessagePage:
        """Find what was said, by its words."""
        return await context.run(partial(_texts, context, what))

    @router.get("/{message_id}", responses=documented("not-found"))
    async def get_conversation(_: Reader, message_id: str) -> Conversation:
        """Return the conversation that a message is in."""
        return await context.run(lambda: _shown(find_summary(context, message_id)))

    @router.post("/{message_id}/take", responses=documented("not-found", "opted-out"))
    async def take_conversation(caller: Agent, message_id: str) -> Conversation:
        """Have a person answer from now on: the assistant is silent. A second time changes nothing."""
        return await context.run(partial(_change, context, caller, message_id, "take over", people.take_over))

    @router.post("/{message_id}/hand-back", responses=documented("not-found", "opted-out"))
    async def hand_back_conversation(caller: Agent, message_id: str) -> Conversation:
        """Have the assistant answer again, from what comes in next. A second time changes nothing."""
        return await context.run(partial(_change, context, caller, message_id, "hand back", people.hand_back))

    return router


def find_summary(context: Context, message_id: str) -> Summary:
    """Return the conversation that a message is in.

    Raises:
      Refused: there is none.
    """
    key = context.conversations.reader.conversation_of(message_id)
    summary = None if key is None else context.conversations.reader.summary(key)
    if summary is None:
        raise Refused(
            "not-found",
            f"There is no conversation with the message {message_id[:200]}. A conversation is named by the "
            "id of one of its messages: list the conversations to find one.",
        )
    return summary


def _all(context: Context, mode: Mode | None, limit: int, cursor: str | None) -> ConversationPage:
    found = context.conversations.reader.conversations(
        mode=mode, limit=limit + 1, after=_place(context, cursor)
    )
    return _page(found, limit)


def _with_contact(context: Context, what: ConversationSearch) -> ConversationPage:
    reader = context.conversations.reader
    region = context.default_region or region_of(own.address for own in reader.addresses())
    query = contact_query(what.contact, region=region)
    found, after = list[Summary](), _place(context, what.cursor)
    while len(found) <= what.limit:
        page = context.conversations.search.contacts(query, limit=what.limit + 1, after=after)
        found += [each for each in page if what.mode in {None, each.mode}]
        if len(page) <= what.limit:
            break
        after = PageStart(page[-1].last_at, page[-1].conversation)
    return _page(found, what.limit)


def _page(found: Sequence[Summary], limit: int) -> ConversationPage:
    has_more, page = len(found) > limit, found[:limit]
    next_cursor = to_cursor(page[-1].last_at, page[-1].message_id) if has_more else None
    return ConversationPage(items=[_shown(each) for each in page], next_cursor=next_cursor)


def _texts(context: Context, what: TextSearch) -> FoundMessagePage:
    after = None
    if what.cursor is not None:
        first, second = from_cursor(what.cursor, int, int)
        after = TextsPlace(int(first), int(second))
    found = context.conversations.search.texts(what.text, limit=what.limit, after=after)
    items = [
        FoundMessage(
            message_id=each.message_id,
            contact=each.contact,
            contact_name=each.name,
            author=each.author,
            text=each.text,
            at=each.at,
        )
        for each in found.texts
    ]
    next_cursor = None if found.next_place is None else to_cursor(*found.next_place)
    return FoundMessagePage(items=items, next_cursor=next_cursor, bounds=found.bounds or None)


def _place(context: Context, cursor: str | None) -> PageStart | None:
    """Return where the page before ended. A cursor has a message's id, and not the key with its number."""
    if cursor is None:
        return None
    last_at, message_id = from_cursor(cursor, int, str)
    return PageStart(int(last_at), context.conversations.reader.conversation_of(str(message_id)) or "")


def _change(
    context: Context, caller: Caller, message_id: str, action: str, change: Callable[..., None]
) -> Conversation:
    summary = find_summary(context, message_id)
    if summary.mode == "nobody":
        raise people.OptedOutContact(people.OPTED_OUT_ERROR)
    with context.recorded(caller, f"{action} conversation", message_id):
        change(summary.conversation, by=caller.name)
    return _shown(find_summary(context, message_id))


def _shown(summary: Summary) -> Conversation:
    return Conversation(
        message_id=summary.message_id,
        account=ConversationKey.read(summary.conversation).account,
        address=summary.address,
        contact=summary.contact,
        channel=summary.channel,
        mode=summary.mode,
        mode_reason=summary.mode_reason or None,
        last_at=summary.last_at,
        last_author=summary.author,
        last_text=summary.text,
        unanswered=summary.unanswered,
        reply_state=summary.state,
        delivery_status=summary.delivery_status,
    )
