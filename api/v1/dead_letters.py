"""Dead letters: whom each is about, what failed, running it again, and discarding it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from actors.subject import subject_of
from brokers.records import DeadLetterFilter, StoredMessage

from .callers import Caller, Operator, Reader
from .context import Context, Time
from .cursors import MOST, USUAL, Cursor, Limit, from_cursor, to_cursor
from .problems import Refused, documented

Name = Annotated[str | None, Query(max_length=200)]


class DeadLetter(BaseModel):
    """A message that was set aside for a person."""

    message_id: str
    queue: str
    actor: str
    reason: str | None = Field(description="failed, expired, max_deliveries, undecodable, ...")
    error: str | None = Field(description="the last line of what it failed with")
    contact: str | None = Field(description="whom it is about; null: no contact, or one that cannot be told")
    text: str | None = Field(description="what the contact wrote, or what was to be sent to them")
    enqueued_at: Time
    died_at: Time | None
    deliveries: int = Field(description="how often it was handed to a worker")
    crashes: int = Field(description="how often its worker died under it")


class DeadLetterDetails(DeadLetter):
    """A dead letter with all that is known of it."""

    traceback: str | None = Field(description="all of what it failed with")
    payload: str = Field(description="the message as it was enqueued: JSON, unless the reason is undecodable")


class DeadLetterPage(BaseModel):
    """A page of dead letters, newest first."""

    items: list[DeadLetter]
    next_cursor: str | None = Field(description="of the next page; null: there is none")


def dead_letter_routes(context: Context) -> APIRouter:
    """Make the operations on dead letters."""
    router = APIRouter(prefix="/dead-letters", tags=["dead letters"])

    @router.get("", responses=documented("unsupported"))
    async def list_dead_letters(
        _: Reader,
        queue: Name = None,
        actor: Name = None,
        limit: Limit = USUAL,
        cursor: Annotated[Cursor | None, Query()] = None,
    ) -> DeadLetterPage:
        """List dead letters, newest first."""
        return await context.run(partial(_page, context, queue, actor, limit, cursor))

    @router.get("/{message_id}", responses=documented("not-found", "unsupported"))
    async def get_dead_letter(_: Reader, message_id: str) -> DeadLetterDetails:
        """Return a dead letter, with its traceback and its payload."""
        return await context.run(lambda: _details(_find(context, message_id)))

    @router.post("/{message_id}/replay", status_code=204, responses=documented("not-found", "unsupported"))
    async def replay_dead_letter(caller: Operator, message_id: str) -> None:
        """Run it again, with all its retries. What was answered meanwhile is not answered again."""
        await context.run(partial(_replay, context, caller, message_id))

    @router.delete("/{message_id}", status_code=204, responses=documented("not-found", "unsupported"))
    async def discard_dead_letter(caller: Operator, message_id: str) -> None:
        """Delete it for good."""
        await context.run(partial(_discard, context, caller, message_id))

    return router


def _page(
    context: Context, queue: str | None, actor: str | None, limit: int, cursor: str | None
) -> DeadLetterPage:
    which, start = DeadLetterFilter(queue=queue, actor=actor), 0
    if cursor is not None:
        died_at, last_id = from_cursor(cursor, int, str)
        which = replace(which, died_before=int(died_at) + 1)
        start = _start_after(context, which, int(died_at), str(last_id))
    found = context.broker.backend.dead_letters(which, limit=limit + 1, offset=start)
    page = found[:limit]
    has_more = len(found) > limit
    next_cursor = to_cursor(page[-1].died_at or 0, page[-1].message_id) if has_more else None
    return DeadLetterPage(items=[_shown(letter) for letter in page], next_cursor=next_cursor)


def _start_after(context: Context, which: DeadLetterFilter, died_at: int, last_id: str) -> int:
    """Return how many to pass over: those of the same time as the last of the page before, and it as well.

    Where the last one is gone, it cannot be told which of that time were shown. Then none is passed over: one
    may be shown twice, and none is hidden.
    """
    passed = 0
    while True:
        found = context.broker.backend.dead_letters(which, limit=MOST, offset=passed)
        for number, letter in enumerate(found, 1):
            if letter.died_at != died_at:
                return 0
            if letter.message_id == last_id:
                return passed + number
        if len(found) < MOST:
            return 0
        passed += len(found)


def _find(context: Context, message_id: str) -> StoredMessage:
    letter = context.broker.backend.get(message_id)
    if letter is None or letter.state != "dead":
        raise _not_found(message_id)
    return letter


def _replay(context: Context, caller: Caller, message_id: str) -> None:
    _find(context, message_id)
    with context.recorded(caller, "replay dead letter", message_id):
        if not context.broker.replay(message_id):
            raise _not_found(message_id)
    context.cached_stats.invalidate()


def _discard(context: Context, caller: Caller, message_id: str) -> None:
    _find(context, message_id)
    with context.recorded(caller, "discard dead letter", message_id):
        if not context.broker.backend.discard(DeadLetterFilter(message_ids=[message_id])):
            raise _not_found(message_id)
    context.cached_stats.invalidate()


def _not_found(message_id: str) -> Refused:
    return Refused(
        "not-found",
        f"There is no dead letter {message_id[:200]}: it never was, or was replayed or discarded meanwhile.",
    )


def _details(letter: StoredMessage) -> DeadLetterDetails:
    return DeadLetterDetails(
        **_shown(letter).model_dump(exclude={"enqueued_at", "died_at"}),
        enqueued_at=letter.enqueued_at,
        died_at=letter.died_at,
        traceback=letter.last_error,
        payload=letter.payload.decode(errors="replace"),
    )


def _shown(letter: StoredMessage) -> DeadLetter:
    subject = subject_of(letter.payload)
    return DeadLetter(
        message_id=letter.message_id,
        queue=letter.queue,
        actor=letter.actor,
        reason=letter.reason,
        error=None if letter.last_error is None else letter.last_error.strip().rpartition("\n")[2],
        contact=None if subject is None else _encodable(subject.contact),
        text=None if subject is None else _encodable(subject.text),
        enqueued_at=letter.enqueued_at,
        died_at=letter.died_at,
        deliveries=letter.deliveries,
        crashes=letter.crashes,
    )


def _encodable(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can escape in a payload, and no answer can have."""
    return text.encode(errors="replace").decode()
