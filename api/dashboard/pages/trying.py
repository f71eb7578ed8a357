"""Plays a customer's phone beside the inbox, in development, and kills workers meanwhile."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from ..access.permissions import GETS
from ..access.user import User
from ..context import DashboardContext
from ..language.catalogue import gettext
from ..live.event_streams import StreamEvent
from ..page_request import NotAllowed, NotFound, PageRequest
from ..rendering.render import part
from ..try_it.network import NotReached
from ..try_it.phones import SHOP, OwnMessage, Phone
from ..try_it.played import PlayedCustomers
from ..try_it.screen import screen
from ..try_it.walk import known, walk
from ..try_it.workers import NoSuchWorker
from .inbox import inbox, inbox_event
from .overview import common_events

#: The longest text of a message, in characters: as of WhatsApp through Twilio.
MOST_CHARACTERS = 1_600

#: How long a worker may take to begin with the message that it is to be killed under, in seconds.
BEGUN_WITHIN_S = 10.0


def try_it(context: DashboardContext, request: PageRequest) -> Response:
    """Show the phone, the walk of its latest message, the workers and the inbox."""
    return _show(context, request)


def write(context: DashboardContext, request: PageRequest) -> Response:
    """Write what the form says, as a customer, through the webhook."""
    played, phone = _played(context, request.user), _phone(context, request)
    text, action = request.get("text"), request.get("action", "write")
    if action in {"write", "kill"} and not text:
        return _show(context, request, trouble=gettext("Write something first."), status=422)
    if len(text) > MOST_CHARACTERS:
        trouble = gettext("A message has at most {most} characters.", most=MOST_CHARACTERS)
        return _show(context, request, trouble=trouble, status=422)
    try:
        with context.recorded(request, "try a message", _name_of(phone)):
            written = _written(phone, action, text)
    except NotReached as error:
        trouble = gettext("The API cannot be reached at its own address: {why}", why=error)
        return _show(context, request, trouble=trouble, status=503)
    if written is None:
        return _show(context, request, trouble=gettext("Write something first."), status=422)
    if action == "kill" and not _killed_under(context, request, played, written):
        trouble = gettext("No worker was caught at it: it was answered too soon, or none is running.")
        return _show(context, request, trouble=trouble, status=409)
    return _back(phone)


def kill(context: DashboardContext, request: PageRequest) -> Response:
    """Kill a worker of this installation."""
    played, phone = _played(context, request.user), _phone(context, request)
    name, _, pid = request.get("worker").rpartition(" ")
    worked_on = {each.message_id for each in played.workers.listed() or () if each.name == name}
    try:
        if not (pid.isascii() and pid.isdigit() and len(pid) < 10):
            raise NoSuchWorker(name)
        with context.recorded(request, "kill worker", name[:40]):
            played.workers.kill(name, int(pid))
    except NoSuchWorker:
        trouble = gettext("There is no such worker any more: another one has taken its place.")
        return _show(context, request, trouble=trouble, status=409)
    for written in phone.written:
        if written.message_id in worked_on:
            written.killed.append(name)
    return _back(phone)


def events(context: DashboardContext, number: str, sid: str, user: User) -> list[StreamEvent]:
    """Return what changes on the page."""
    played = _played(context, user)
    phone = _phone_of(played, number)
    shown = _shown(context, played, phone, sid)
    inbox_ = inbox_event(context, "", user, message_id=shown["message_id"])
    return [
        *common_events(context, context.sampler.snapshot()),
        ("phone", part("parts/phone.html", **shown)),
        ("walk", part("parts/walk.html", **shown)),
        ("workers", part("parts/workers.html", **shown)),
        inbox_,
    ]


def _written(phone: Phone, action: str, text: str) -> OwnMessage | None:
    """Write what was asked for; return the last message, or None where there is none to repeat."""
    name = gettext("Customer {number}", number=phone.number)
    match action:
        case "picture":
            return phone.write(text or gettext("Do you have this mug?"), name=name, with_picture=True)
        case "burst":
            texts = (gettext("Hi"), gettext("Are you there?"), gettext("How much is the delivery?"))
            return [phone.write(each, name=name) for each in texts][-1]
        case "repeat":
            return phone.repeat()
    return phone.write(text, name=name)


def _name_of(phone: Phone) -> str:
    """Name a phone in the audit log, which holds English texts."""
    return f"phone {phone.number}"


def _killed_under(
    context: DashboardContext, request: PageRequest, played: PlayedCustomers, written: OwnMessage
) -> bool:
    """Kill the worker that works on a message; return whether one was caught at it."""
    worker = played.workers.on(written.message_id, within_s=BEGUN_WITHIN_S)
    if worker is None or worker.pid is None:
        return False
    try:
        with context.recorded(request, "kill worker", worker.name):
            played.workers.kill(worker.name, worker.pid)
    except NoSuchWorker:
        return False
    written.killed.append(worker.name)
    return True


def _played(context: DashboardContext, user: User) -> PlayedCustomers:
    """Return what plays customers.

    Raises:
      NotFound: this Recado is not for development.
      NotAllowed: the user has not the role.
    """
    if context.played is None:
        raise NotFound(gettext("There is no such page."))
    if not user.may(GETS["/try-it"]):  # a page that is open, of a user who has another role now
        raise NotAllowed(gettext("Your role does not do this"))
    return context.played


def _phone(context: DashboardContext, request: PageRequest) -> Phone:
    return _phone_of(_played(context, request.user), request.get("phone"))


def _phone_of(played: PlayedCustomers, number: str) -> Phone:
    named = {str(each): phone for each, phone in played.phones.items()}
    return named.get(number, played.phones[1])


def _back(phone: Phone) -> Response:
    return RedirectResponse(f"/dashboard/try-it?phone={phone.number}", 303)


def _show(
    context: DashboardContext, request: PageRequest, *, trouble: str = "", status: int = 200
) -> Response:
    played, phone = _played(context, request.user), _phone(context, request)
    sid = request.get("message")
    return context.render_page(
        request,
        "try_it.html",
        active="try-it",
        status=status,
        live="of=try-it&" + urlencode({"phone": phone.number, "message": sid}),
        trouble=trouble,
        draft=request.get("text") if trouble else "",
        most=MOST_CHARACTERS,
        phones=list(played.phones),
        shop=SHOP,
        **inbox(context, request),
        **_shown(context, played, phone, sid),
    )


def _shown(context: DashboardContext, played: PlayedCustomers, phone: Phone, sid: str) -> dict[str, Any]:
    """Return what the parts show that change."""
    replies, store = played.replies.to(phone.contact), context.conversations
    written, summary = phone.find(sid), store.reader.summary(phone.conversation)
    what = (
        None
        if written is None
        else known(written, phone.conversation, backend=context.backend, store=store, replies=replies)
    )
    return {
        "phone": phone,
        "bubbles": screen(phone, store.reader, replies),
        "known": what,
        "steps": () if what is None else walk(what),
        "workers": played.workers.listed(),
        "has_written": written is not None,
        "message_id": "" if summary is None else summary.message_id,  # marks the conversation in the inbox
    }
