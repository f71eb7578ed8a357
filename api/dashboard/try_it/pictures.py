"""The picture that the phone sends, at the address where Twilio would have it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ..rendering.render import STATIC

#: The picture, and the id under which it is attached.
FILE, MIME_TYPE, MEDIA_SID = "mug.jpg", "image/jpeg", "ME" + "0" * 32

#: Twilio's path of an attachment.
_PATH = "/2010-04-01/Accounts/{account}/Messages/{message}/Media/{media}"


def attached(account: str, message_sid: str) -> dict[str, str]:
    """Return what a webhook says of the picture, in the place of what it says of no attachment."""
    path = _PATH.format(account=account, message=message_sid, media=MEDIA_SID)
    return {
        "MediaContentType0": MIME_TYPE,
        "MediaUrl0": f"https://api.twilio.com{path}",
        "MessageType": "image",
        "NumMedia": "1",
    }


def picture_routes() -> APIRouter:
    """Make the route at which workers and pages fetch the picture, as they fetch attachments from Twilio."""
    router = APIRouter()

    @router.get(_PATH, include_in_schema=False)
    async def picture(account: str, message: str, media: str) -> Response:  # noqa: ARG001  every message has the same
        if media != MEDIA_SID:
            return Response("There is no such attachment.\n", 404, media_type="text/plain")
        return Response((STATIC / FILE).read_bytes(), media_type=MIME_TYPE)

    return router
