"""Sends attachments to the browser."""

from __future__ import annotations

import re

from starlette.responses import FileResponse, Response

from actors.conversation import MediaError

from ..attachments import is_inline
from ..context import DashboardContext
from ..language.catalogue import gettext
from ..page_request import NotFound, PageRequest
from .conversations import find_summary

#: The ends of names under which files are saved, by type. Nothing that a double click runs is among them.
_ENDINGS = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "image/heic": "heic",
    "image/svg+xml": "svg.txt",
    "text/csv": "csv",
    "text/plain": "txt",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
}

#: A page that is opened again does not ask for the same picture again at once.
_HEADERS = {
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


def attachment(context: DashboardContext, request: PageRequest) -> Response:
    """Send an attachment of a message: to be shown or played where it stands, or else to be saved.

    Raises:
      NotFound: there is none, or it cannot be fetched.
    """
    message_id, number = request.parts["message_id"], _number(request.parts["number"])
    summary = find_summary(context, message_id)
    try:
        fetched = context.attachments.fetch(context.conversations.reader, summary.channel, message_id, number)
    except MediaError as error:
        raise NotFound(gettext("The attachment cannot be shown: {why}.", why=error)) from error
    if fetched is None:
        raise NotFound(gettext("There is no such attachment."))
    if is_inline(fetched.content_type):
        return FileResponse(fetched.path, media_type=fetched.content_type, headers=_HEADERS)
    name = f"attachment-{number + 1}.{_ENDINGS.get(fetched.content_type, 'bin')}"
    return FileResponse(
        fetched.path,
        media_type="application/octet-stream",
        headers={**_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )


def _number(text: str) -> int:
    """Read an attachment's place in its message."""
    if re.fullmatch("[0-9]{1,3}", text) is None:
        raise NotFound(gettext("There is no such attachment."))
    return int(text)
