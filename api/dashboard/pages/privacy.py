"""Exports and erases the person whom a conversation is with."""

from __future__ import annotations

from starlette.responses import Response

from actors.conversations import Summary
from actors.privacy import Person, counted, encoded, places
from actors.privacy import erase as erase_everywhere
from actors.privacy import export as export_everything
from actors.services import services
from api.audit_place import AuditPlace

from ..context import DashboardContext
from ..page_request import PageRequest
from .conversations import find_summary


def confirm(context: DashboardContext, request: PageRequest) -> Response:
    """Show whom it is about, and how much is kept of them, before anything is erased."""
    summary, person = _person(context, request)
    with places(services(), AuditPlace(context.audit)) as found:
        counts = counted(export_everything(person, found))
    return context.render_page(
        request,
        "erase.html",
        active="conversations",
        summary=summary,
        message_id=request.parts["message_id"],
        counts=counts,
    )


def erase(context: DashboardContext, request: PageRequest) -> Response:
    """Erase the person everywhere, and say what was erased. The audit log keeps who did it."""
    summary, person = _person(context, request)
    with (
        context.recorded(request, "erase person", person.masked),
        places(services(), AuditPlace(context.audit)) as found,
    ):
        report = erase_everywhere(person, found)
    context.cached_stats.invalidate()
    return context.render_page(
        request, "erased.html", active="conversations", contact=summary.contact, report=report
    )


def export(context: DashboardContext, request: PageRequest) -> Response:
    """Answer with all that is kept of the person, as a file."""
    _, person = _person(context, request)
    with (
        context.recorded(request, "export person", person.masked),
        places(services(), AuditPlace(context.audit)) as found,
    ):
        document = export_everything(person, found)
    return Response(
        encoded(document),
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="export.json"'},
    )


def _person(context: DashboardContext, request: PageRequest) -> tuple[Summary, Person]:
    summary = find_summary(context, request.parts["message_id"])
    return summary, Person.read(summary.contact)
