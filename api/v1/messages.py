"""What was said in a conversation, and saying something in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from actors import people
from actors.conversation import Author
from actors.conversations import ThreadEntry
from actors.reply import ReplyState

from .callers import Agent, Caller, Reader
from .context import Context, Time
from .conversations import IdempotencyKey, find_summary
from .cursors import USUAL, Cursor, Limit, from_cursor, to_cursor
from .problems import Refused, documented


class Message(BaseModel):
    """One thing that was said."""

    author: Author = Field(description="the contact, or us")
    text: str
    at: Time = Field(description="when it was received, or written")
    message_id: str | None = Field(description="of what the contact wrote")
    reply_id: str | None = Field(description="of a reply; or of the reply that answered it, if one did")
    external_id: str | None = Field(description="the channel's id of it")
    state: ReplyState | None = Field(description="of a reply")
    delivery_status: str | None = Field(description="of a reply: the channel's last word")
    error: str | None = Field(description="of a reply: why it was not sent or delivered")
    written_by: str | None = Field(
        description="the person or the program that wrote a reply; null: the assistant"
    )
    in_quarantine: bool = Field(description="it could not be answered, and is a dead letter")


class MessagePage(BaseModel):
    """A page of what was said, newest first. What was answered with silence has no message of ours."""

    items: list[Message]
    next_cursor: str | None = Field(description="of the next page, which is older; null: there is none")


class NewMessage(BaseModel):
    """What is to be said."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(
        min_length=1, description="what is longer than one message of the channel becomes up to five"
    )
    take_over: bool = Field(False, description="a person answers from now on, and the assistant is silent")
    written_by: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="the person who writes, for others: shown together with the token's name",
    )


class Said(BaseModel):
    """What was accepted: it is on disk, and goes out with the promises that an answer has."""

    reply_id: str = Field(description="of the reply, or of its first part: GET /replies/{reply_id}")


def message_routes(context: Context) -> APIRouter:
    """Make the operations on what is said in a conversation."""
    router = APIRouter(prefix="/conversations/{message_id}/messages", tags=["conversations"])

    @router.get("", responses=documented("not-found"))
    async def list_messages(
        _: Reader, message_id: str, limit: Limit = USUAL, cursor: Annotated[Cursor | None, Query()] = None
    ) -> MessagePage:
        """List what was said, newest first."""
        return await context.run(partial(_page, context, message_id, limit, cursor))

    @router.post("", status_code=202, responses=documented("not-found", "opted-out", "key-taken"))
    async def say(
        caller: Agent,
        message_id: str,
        what: NewMessage,
        idempotency_key: IdempotencyKey,
        response: Response,
    ) -> Said:
        """Say something. It is on disk when the answer comes, and is sent once, whatever crashes."""
        reply_id = await context.run(partial(_say, context, caller, message_id, what, idempotency_key))
        response.headers["Location"] = f"/api/v1/replies/{quote(reply_id)}"
        return Said(reply_id=reply_id)

    return router


def _say(context: Context, caller: Caller, message_id: str, what: NewMessage, key: str) -> str:
    conversation = find_summary(context, message_id).conversation
    by = caller.name if what.written_by is None else f"{what.written_by} ({caller.name})"
    with context.recorded(caller, "answer by hand", message_id):
        try:
            return people.say(conversation, what.text, by=by, key=key, takes_over=what.take_over)
        except ValueError as error:
            raise Refused("invalid", str(error)) from error


def _page(context: Context, message_id: str, limit: int, cursor: str | None) -> MessagePage:
    conversation = find_summary(context, message_id).conversation
    depth, last = (0, None) if cursor is None else from_cursor(cursor, int, str)
    read = partial(context.conversations.reader.thread, conversation)
    page, has_more = _older_than(last, read, depth=int(depth), limit=limit)
    next_cursor = to_cursor(int(depth) + len(page), _name(page[-1])) if has_more else None
    return MessagePage(items=[_shown(each) for each in page], next_cursor=next_cursor)


def _older_than(
    last: int | str | None, read: Callable[..., Sequence[ThreadEntry]], *, depth: int, limit: int
) -> tuple[Sequence[ThreadEntry], bool]:
    """Return a page of entries, newest first, and whether there are more.

    Parameters:
      last: the last entry of the page before; None for the first page.
      read: returns so many entries of the end of the conversation, oldest first.
      depth: how many entries the pages before had. More may stand after them by now.
      limit: how many to return at most.

    Raises:
      Refused: there is no such last entry any more.
    """
    count = depth + limit + 1
    while True:
        kept = read(limit=count)
        has_all = len(kept) < count
        entries = [entry for entry in reversed(kept) if _was_said(entry)]
        names = [_name(each) for each in entries]
        start = 0 if last is None else names.index(str(last)) + 1 if last in names else None
        if start is not None and (has_all or len(entries) > start + limit):
            return entries[start : start + limit], len(entries) > start + limit
        if has_all:
            raise Refused(
                "invalid", "What the cursor names is not kept any more. Begin again without a cursor."
            )
        count *= 2


def _name(entry: ThreadEntry) -> str:
    """Name an entry: what the contact wrote by its message, a reply by itself."""
    return f"r {entry.reply_id}" if entry.author == "us" else f"m {entry.message_id}"


def _was_said(entry: ThreadEntry) -> bool:
    """Whether the entry is more than the record that nothing was answered."""
    return bool(entry.text) or entry.state != "cancelled"


def _shown(entry: ThreadEntry) -> Message:
    return Message(**{name: getattr(entry, name) for name in Message.model_fields})
