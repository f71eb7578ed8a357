"""Shows one message: its payload, what happened to it, what went wrong, and its conversation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from starlette.responses import Response

from actors.channels.twilio.inbound import text_of
from actors.conversations import Summary, ThreadEntry
from brokers.records import StoredMessage

from ..context import DashboardContext
from ..page_request import NotFound, PageRequest
from ..rendering.masking import mask, mask_text
from ..rendering.payloads import message_of, readable
from ..rendering.reply_labels import label_of

#: How many entries at the end of a conversation are searched for the reply to a message.
SEARCHED_ENTRIES = 200

#: How many arguments are tried as ids of replies.
MAX_REPLY_ID_CANDIDATES = 5


class TimelineEvent(NamedTuple):
    """Holds a line of the timeline. `at` is None where the time was not recorded."""

    at: int | None
    what: str
    tone: str = ""


def message(context: DashboardContext, request: PageRequest) -> Response:
    """Show a message, masked."""
    return _show(context, request, reveal=False)


def reveal(context: DashboardContext, request: PageRequest) -> Response:
    """Show a message unmasked, in the answer to a POST, so that no link leads here a second time."""
    message_id = request.parts["message_id"]
    entry = context.record_action(request, "reveal message", message_id)
    answer = _show(context, request, reveal=True)
    context.audit.record_progress(entry, done=1, outcome="done")
    return answer


def _show(context: DashboardContext, request: PageRequest, *, reveal: bool) -> Response:
    message_id = request.parts["message_id"]
    summary = _conversation(context, message_id, None)
    stored = context.backend.get(message_id)
    if stored is None:
        if summary is None:
            raise NotFound(f"There is no message {message_id}: it never was, or it is done.")
        return context.render_page(request, "done.html", message_id=message_id, summary=summary)
    body = message_of(stored.payload)
    summary = summary or _conversation(context, message_id, body)
    answer = None if summary is None else _reply_to(context, summary, message_id, body)
    options = body.get("options", {})
    return context.render_page(
        request,
        "message.html",
        message=stored,
        revealed=reveal,
        payload=readable(stored.payload, reveal=reveal),
        options=options if reveal else mask(options),
        error=stored.last_error if reveal or stored.last_error is None else mask_text(stored.last_error),
        summary=summary,
        answer=answer,
        timeline=list(_timeline(stored, body, answer)),
    )


def _timeline(
    stored: StoredMessage, body: dict[str, Any], answer: ThreadEntry | None
) -> Iterator[TimelineEvent]:
    sent_at = body.get("message_timestamp")
    if isinstance(sent_at, int) and 0 <= sent_at < stored.enqueued_at - 1_000:
        yield TimelineEvent(sent_at, "Made")
    yield TimelineEvent(stored.enqueued_at, f"Stored in {stored.queue}")
    yield from _deliveries(stored, body)
    if stored.state == "dead":
        yield TimelineEvent(stored.died_at, f"Dead letter: {stored.reason}", "bad")
    elif stored.state == "delayed":
        yield TimelineEvent(stored.due_at, "Due to run")
    elif stored.state == "running":
        yield TimelineEvent(None, "Running now", "good")
    elif stored.due_at > stored.enqueued_at:
        yield TimelineEvent(stored.due_at, "Became due")
    if answer is not None:
        label = label_of(answer.state, answer.delivery_status, answer.error)
        yield TimelineEvent(answer.at, f"Reply written; now: {label.text}", label.tone or "good")


def _deliveries(stored: StoredMessage, body: dict[str, Any]) -> Iterator[TimelineEvent]:
    if stored.deliveries:
        times = "once" if stored.deliveries == 1 else f"{stored.deliveries} times"
        yield TimelineEvent(None, f"Handed to a worker {times}")
    retries = body.get("options", {}).get("retries")
    if isinstance(retries, int) and retries > 0:
        yield TimelineEvent(
            None, f"Failed, and put back for a retry, {retries} times" if retries > 1 else "Retried once"
        )
    if stored.crashes:
        times = "once" if stored.crashes == 1 else f"{stored.crashes} times"
        yield TimelineEvent(None, f"Its worker died under it {times}", "bad")


def _conversation(context: DashboardContext, message_id: str, body: dict[str, Any] | None) -> Summary | None:
    """Find the conversation of a message: by its own id, or by the reply or the message it carries."""
    names = [message_id] if body is None else list(_inbound_ids(body))
    for name in names:
        key = context.conversations.reader.conversation_of(name)
        if key is not None:
            return context.conversations.reader.summary(key)
    for argument in islice(_strings(body or {}), MAX_REPLY_ID_CANDIDATES):
        reply = context.conversations.reply(argument)
        if reply is not None:
            return context.conversations.reader.summary(reply.conversation)
    return None


def _inbound_ids(body: dict[str, Any]) -> Iterator[str]:
    """Find the ids of the inbound messages that the arguments carry, however deep."""
    for argument in _arguments(body):
        if isinstance(argument, dict):
            sids = [text_of(argument, name) for name in ("AccountSid", "MessageSid")]
            if all(sid and sid.isascii() for sid in sids):
                yield ".".join(sids)
            yield from _inbound_ids(argument)


def _arguments(body: dict[str, Any]) -> list[Any]:
    arguments = body.get("args")
    return arguments if isinstance(arguments, list) else []


def _strings(body: dict[str, Any]) -> Iterator[str]:
    """Find arguments that may be the id of a reply."""
    for argument in _arguments(body):
        if isinstance(argument, str) and len(argument) == 32 and argument.isascii():
            yield argument
        elif isinstance(argument, dict):
            yield from _strings(argument)


def _reply_to(
    context: DashboardContext, summary: Summary, message_id: str, body: dict[str, Any]
) -> ThreadEntry | None:
    """Find the reply to a message, or the reply that the message is about."""
    thread = context.conversations.reader.thread(summary.conversation, limit=SEARCHED_ENTRIES)
    reply_ids = set(_strings(body)) | {entry.reply_id for entry in thread if entry.message_id == message_id}
    return next((entry for entry in thread if entry.author == "us" and entry.reply_id in reply_ids), None)
