"""Finds conversations by contact and by what was said, in answer to a POST: no address has what is wanted."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from actors.conversations.search import TextsPlace
from actors.phone_numbers import contact_query, region_of

from ..context import DashboardContext
from ..page_request import PageRequest
from .inbox import LISTS

#: How many contacts and how many texts are on a page.
CONTACTS, TEXTS = 20, 30


def search(context: DashboardContext, request: PageRequest) -> Response:
    """Show which contacts and which texts have what is searched for."""
    wanted = request.text().strip()
    if not wanted:
        return to_list(context, request)
    find, reader = context.conversations.search, context.conversations.reader
    region = context.settings.default_region or region_of(own.address for own in reader.addresses())
    query = contact_query(wanted, region=region)
    place = TextsPlace(request.number("first", most=2**62), request.number("second", most=2**62))
    is_first = not any(place)
    contacts = find.contacts(query, limit=CONTACTS + 1) if is_first and request.user.sees_people else []
    found = find.texts(wanted, limit=TEXTS, after=None if is_first else place)
    return context.render_page(
        request,
        "search.html",
        active="conversations",
        wanted=wanted,
        contacts=contacts[:CONTACTS],
        has_more_contacts=len(contacts) > CONTACTS,
        found=found,
        is_first=is_first,
        lists=LISTS,
        which=None,
    )


def to_list(context: DashboardContext, request: PageRequest) -> Response:  # noqa: ARG001
    """Lead to the list: a page of what was found has no address."""
    return RedirectResponse("/dashboard/conversations", 303)
