"""What the people of the shop note down about a contact. Neither the contact nor a model is told."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from actors import people
from actors.conversations.reader import Note

from .callers import Agent, Caller, Reader
from .context import Context, Time
from .conversations import IdempotencyKey, find_summary
from .cursors import USUAL, Cursor, Limit, from_cursor, to_cursor
from .problems import Refused, documented


class ContactNote(BaseModel):
    """What somebody noted down about a contact."""

    note_id: str
    text: str
    written_by: str = Field(description="the person or the program that wrote it")
    at: Time = Field(description="when it was written")


class NotePage(BaseModel):
    """A page of notes, newest first."""

    items: list[ContactNote]
    next_cursor: str | None = Field(description="of the next page, which is older; null: there is none")


class NewNote(BaseModel):
    """What is to be noted down."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(
        min_length=1,
        max_length=people.MOST_NOTE,
        pattern=r"\S",
        description="what others are to know of the contact",
    )
    written_by: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="the person who writes, for others: shown together with the token's name",
    )


def note_routes(context: Context) -> APIRouter:
    """Make the operations on the notes about a contact."""
    router = APIRouter(prefix="/conversations/{message_id}/notes", tags=["conversations"])

    @router.get("", responses=documented("not-found"))
    async def list_notes(
        _: Reader, message_id: str, limit: Limit = USUAL, cursor: Annotated[Cursor | None, Query()] = None
    ) -> NotePage:
        """List the notes about a contact, newest first."""
        return await context.run(partial(_page, context, message_id, limit, cursor))

    @router.post("", status_code=201, responses=documented("not-found", "key-taken"))
    async def add_note(
        caller: Agent, message_id: str, what: NewNote, idempotency_key: IdempotencyKey, response: Response
    ) -> ContactNote:
        """Note something down. Under the same key it is noted once."""
        note = await context.run(partial(_add, context, caller, message_id, what, idempotency_key))
        place = f"/api/v1/conversations/{quote(message_id, safe='')}/notes"
        response.headers["Location"] = f"{place}/{quote(note.note_id, safe='')}"
        return note

    @router.delete("/{note_id}", status_code=204, responses=documented("not-found"))
    async def delete_note(caller: Agent, message_id: str, note_id: str) -> None:
        """Delete a note for good."""
        await context.run(partial(_delete, context, caller, message_id, note_id))

    return router


def _page(context: Context, message_id: str, limit: int, cursor: str | None) -> NotePage:
    notes = _notes(context, find_summary(context, message_id).conversation)
    start = 0
    if cursor is not None:
        written_at, last_id = from_cursor(cursor, int, str)
        start = _start_after(notes, int(written_at), str(last_id))
    page = notes[start : start + limit]
    has_more = len(notes) > start + limit
    next_cursor = to_cursor(page[-1].written_at, page[-1].note_id) if has_more else None
    return NotePage(items=[_shown(note) for note in page], next_cursor=next_cursor)


def _start_after(notes: list[Note], written_at: int, last_id: str) -> int:
    """Return how many to pass over. Where the last of the page before is gone, those that are not older.

    One of the same millisecond may then be shown twice, and none is hidden.
    """
    for place, note in enumerate(notes):
        if note.note_id == last_id:
            return place + 1
    return sum(note.written_at > written_at for note in notes)


def _add(context: Context, caller: Caller, message_id: str, what: NewNote, key: str) -> ContactNote:
    conversation = find_summary(context, message_id).conversation
    note_id = _note_id(conversation, key)
    by = caller.name if what.written_by is None else f"{what.written_by} ({caller.name})"
    with context.recorded(caller, "note", message_id):
        context.conversations.add_note(conversation, note_id, what.text, by=by)
        note = _find(context, conversation, note_id)
        if (note.text, note.written_by) != (what.text, by):
            raise people.KeyTaken(
                "Another note was made under this key, and this one was not. Give each note a key of its own."
            )
    return _shown(note)


def _delete(context: Context, caller: Caller, message_id: str, note_id: str) -> None:
    conversation = find_summary(context, message_id).conversation
    _find(context, conversation, note_id)
    with context.recorded(caller, "delete note", message_id):
        context.conversations.delete_note(conversation, note_id)


def _find(context: Context, conversation: str, note_id: str) -> Note:
    for note in _notes(context, conversation):
        if note.note_id == note_id:
            return note
    raise Refused("not-found", f"There is no note {note_id[:200]} in this conversation, or it was deleted.")


def _notes(context: Context, conversation: str) -> list[Note]:
    """Return all notes of a conversation, newest first: people write them by hand, so they are few."""
    facts = context.conversations.reader.facts(conversation)
    return [] if facts is None else list(facts.notes)[::-1]


def _note_id(conversation: str, key: str) -> str:
    """Return the id of the note that a key names: no other conversation has the same."""
    return hashlib.sha256(f"{conversation}\0{key}".encode()).hexdigest()[:32]


def _shown(note: Note) -> ContactNote:
    return ContactNote(note_id=note.note_id, text=note.text, written_by=note.written_by, at=note.written_at)
