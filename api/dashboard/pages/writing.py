"""Has an operator write to a contact first."""

from __future__ import annotations

import re
import secrets
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from actors import people
from actors.conversations.reader import OwnAddress
from actors.keys import ConversationKey
from actors.reply import Template

from ..context import DashboardContext
from ..language.catalogue import gettext
from ..language.stored import translated
from ..page_request import PageRequest
from ..rendering.masking import SEPARATORS

#: How many places of a template the form offers.
PLACES = 4


def form(context: DashboardContext, request: PageRequest) -> Response:
    """Show the form."""
    return _show(context, request)


def send(context: DashboardContext, request: PageRequest) -> Response:
    """Send what the operator wrote. The form has a key, so that a form that is sent twice is one text."""
    own = next((each for each in _addresses(context) if _name(each) == request.get("from")), None)
    contact = re.sub(rf"[{SEPARATORS}]", "", request.get("contact"))
    if own is None or not re.fullmatch(r"\+[0-9]{7,15}", contact):
        trouble = gettext("Write the number with its country, such as +5511900000000.")
        return _show(context, request, trouble=trouble)
    network, is_network, _ = own.address.partition(":")
    key = ConversationKey(own.account, own.address, f"{network}:{contact}" if is_network else contact)
    text, template = request.get("text"), _template(request)
    if template is not None and not text:
        text = f"[template {template.sid}: {', '.join(template.variables.values())}]"
    try:
        with context.recorded(request, "write first", own.address):
            reply_id = people.write_first(
                key, text, by=request.user.name, once=request.get("key") or None, template=template
            )
    except (ValueError, people.OptedOutContact, people.KeyTaken) as error:
        return _show(context, request, trouble=translated(str(error)))
    return RedirectResponse(f"/dashboard/conversations/{quote('reply.' + reply_id, safe='')}", 303)


def _template(request: PageRequest) -> Template | None:
    sid = request.get("template")
    variables = {str(place): request.get(f"place{place}") for place in range(1, PLACES + 1)}
    return Template(sid, {name: value for name, value in variables.items() if value}) if sid else None


def _show(context: DashboardContext, request: PageRequest, *, trouble: str = "") -> Response:
    return context.render_page(
        request,
        "write.html",
        active="conversations",
        status=422 if trouble else 200,
        trouble=trouble,
        addresses=[(_name(each), each.address) for each in _addresses(context)],
        places=range(1, PLACES + 1),
        key=request.get("key") or secrets.token_urlsafe(12),
    )


def _addresses(context: DashboardContext) -> list[OwnAddress]:
    return list(context.conversations.reader.addresses())


def _name(own: OwnAddress) -> str:
    return f"{own.account}|{own.address}"
