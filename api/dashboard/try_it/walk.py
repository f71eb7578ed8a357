"""The walk of a message, from the webhook to the delivered reply: told from what queue and stores know.

docs/messages.md has the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from actors.channels.twilio.delivery import FAILURES, FINAL_RANK, RANK
from actors.conversations import ConversationStore, ThreadEntry
from actors.reply import ACCEPTED, OWED, Reply
from brokers.backend import QueueBackend
from brokers.records import StoredMessage

from ..language.catalogue import gettext, ngettext
from ..language.stored import translated
from .outbox import SentReply
from .phones import OwnMessage

#: How many entries at the end of a conversation are looked through.
LOOKED_THROUGH = 100

Standing = Literal["done", "now", "ahead", "bad"]


class Step(NamedTuple):
    """A step of the walk.

    Attributes:
      name: for people.
      standing: whether the message is past it, at it, before it, or stuck in it.
      at: when it was done, in milliseconds since the epoch; None where that is not known.
      remarks: what is to be told of it.
    """

    name: str
    standing: Standing
    at: int | None = None
    remarks: Sequence[str] = ()


class Known(NamedTuple):
    """What is known of a message.

    Attributes:
      own: the message, as the phone has it.
      stored: in the queue; None when it is done, or the engine cannot look it up.
      entry: in its conversation; None before a worker has begun with it.
      reply: to it, if it is written.
      together: how many messages that reply answers.
      with_assistant: whether the assistant answers in the conversation.
      sent: the reply as the sender recorded it.
    """

    own: OwnMessage
    stored: StoredMessage | None
    entry: ThreadEntry | None
    reply: Reply | None
    together: int
    with_assistant: bool
    sent: SentReply | None


def known(
    written: OwnMessage,
    conversation: str,
    *,
    backend: QueueBackend,
    store: ConversationStore,
    replies: Sequence[SentReply],
) -> Known:
    """Look up what is known of a message.

    Parameters:
      written: the message.
      conversation: the key of its conversation.
      backend: the queue.
      store: the conversations.
      replies: what was sent to the phone.
    """
    # The queue first: what a worker has written by then is in the conversation, which is read after it.
    stored = backend.get(written.message_id) if backend.capabilities.looks_up else None
    if stored is not None:
        written.crashes = max(written.crashes, stored.crashes)
    thread = store.reader.thread(conversation, limit=LOOKED_THROUGH)
    entry = next((each for each in thread if each.message_id == written.message_id), None)
    reply = None if entry is None or entry.reply_id is None else store.reply(entry.reply_id)
    return Known(
        written,
        stored,
        entry,
        reply,
        together=0 if reply is None else sum(_is_answered_by(reply, each) for each in thread),
        with_assistant=store.mode(conversation) == "assistant",
        sent=None
        if reply is None
        else next((each for each in replies if each.reply_id == reply.reply_id), None),
    )


def walk(what: Known) -> Sequence[Step]:
    """Return the steps of a message's walk, in order."""
    return [_taken(what), _waiting(what), _answering(what), _sending(what), _sent(what), _delivered(what)]


def _taken(what: Known) -> Step:
    name, posted = gettext("Webhook taken"), what.own.posted
    remarks = [gettext("{status} in {ms} ms", status=each.status, ms=round(each.took_ms)) for each in posted]
    if len(posted) > 1 and what.entry is not None:
        remarks.append(gettext("known already: it is one message, answered once"))
    if not what.own.is_taken:
        return Step(name, "bad", None, remarks)
    return Step(name, "done", posted[0].at_ms, remarks)


def _waiting(what: Known) -> Step:
    name, stored = gettext("Waits in the queue"), what.stored
    if not what.own.is_taken:
        return Step(name, "ahead")
    if stored is None:  # it is done; or, on an engine that cannot look it up, perhaps not begun
        return Step(name, "now" if what.entry is None else "done")
    if what.reply is not None:
        return Step(name, "done")
    if stored.state == "delayed" and what.entry is not None:
        return Step(name, "now", None, [gettext("for the rest of a burst")])
    return Step(name, "now" if stored.state in {"ready", "delayed"} else "done")


def _answering(what: Known) -> Step:
    name, remarks = gettext("Answered by the model"), _of_crashes(what.own)
    if what.reply is None:
        standing, remark = _not_answered(what)
        return Step(name, standing, None, [*remarks, remark] if remark else remarks)
    if what.together > 1:
        together = ngettext("one reply to {n} message", "one reply to {n} messages", what.together)
        remarks = [*remarks, together]
    return Step(name, "done", what.reply.written_at, remarks)


def _not_answered(what: Known) -> tuple[Standing, str]:
    """Return where a message stands that has no reply, and what is to be told of that."""
    match what:
        case Known(stored=StoredMessage(state="dead", reason=reason)):
            return "bad", gettext(
                "Dead letter: {reason}", reason=translated((reason or "").replace("_", " "))
            )
        case Known(stored=StoredMessage(state="running")):
            return "now", ""
        case Known(entry=ThreadEntry(in_quarantine=True)):
            return "bad", gettext("in quarantine")
        case Known(entry=ThreadEntry(), with_assistant=False):
            return "ahead", gettext("the assistant does not answer here")
        case Known(entry=ThreadEntry(), stored=None):
            return "now", gettext("together with another message")
    return "ahead", ""


def _of_crashes(written: OwnMessage) -> Sequence[str]:
    remarks = [gettext("{worker} was killed under it", worker=worker) for worker in written.killed]
    if not written.crashes:
        return remarks
    died = ngettext("Its worker died under it once", "Its worker died under it {n} times", written.crashes)
    return [*(remarks or [died]), gettext("the queue handed it out again")]


def _sending(what: Known) -> Step:
    name, reply = gettext("Being sent"), what.reply
    if reply is None:
        return Step(name, "ahead")
    if reply.state in OWED:
        return Step(name, "now", reply.sending_at)
    if reply.state in ACCEPTED:
        return Step(name, "done", reply.sending_at)
    return Step(name, "bad", None, [translated(reply.error or reply.state)])


def _sent(what: Known) -> Step:
    name = gettext("Sent")
    if what.reply is None or what.reply.state not in ACCEPTED:
        return Step(name, "ahead")
    return Step(name, "done", None if what.sent is None else what.sent.sent_at)


def _delivered(what: Known) -> Step:
    name, reply = gettext("Delivered"), what.reply
    if reply is None or reply.state not in ACCEPTED:
        return Step(name, "ahead")
    status = reply.delivery_status or ""
    if status in FAILURES:
        return Step(name, "bad", None, [translated(reply.error or status)])
    return Step(name, "done" if RANK.get(status, 0) >= FINAL_RANK else "now")


def _is_answered_by(reply: Reply, entry: ThreadEntry) -> bool:
    return entry.author == "contact" and entry.reply_id == reply.reply_id
