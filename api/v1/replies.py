"""Replies: what became of each."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from actors.reply import Reply as StoredReply
from actors.reply import ReplyKind, ReplyState

from .callers import Reader
from .context import Context, Time
from .problems import Refused, documented


class Reply(BaseModel):
    """A text for a contact, and how far it is."""

    reply_id: str
    contact: str
    address: str = Field(description="ours")
    account: str
    channel: str
    text: str
    kind: ReplyKind = Field(description="who says it, and on which occasion")
    state: ReplyState = Field(
        description="pending: waits; sending; sent: the channel has it; failed: a dead letter; unknown: "
        "perhaps sent; undelivered: the channel could not deliver it; cancelled: not to be sent"
    )
    delivery_status: str | None = Field(description="the channel's last word, such as delivered or read")
    error: str | None = Field(description="why it was not sent, or not delivered")
    written_by: str | None = Field(description="the person or the program that wrote it; null: the assistant")
    external_id: str | None = Field(description="the channel's id of it")
    received_at: Time = Field(description="when the oldest message that it answers came in")
    written_at: Time
    sending_at: Time | None = Field(description="when it was last begun to be sent")


def reply_routes(context: Context) -> APIRouter:
    """Make the operation on replies."""
    router = APIRouter(prefix="/replies", tags=["replies"])

    @router.get("/{reply_id}", responses=documented("not-found"))
    async def get_reply(_: Reader, reply_id: str) -> Reply:
        """Return a reply, its state and its delivery."""
        reply = await context.run(lambda: context.conversations.reply(reply_id))
        if reply is None:
            raise Refused(
                "not-found",
                f"There is no reply {reply_id[:200]}: it never was, or is not kept any more. One that was "
                "accepted while the conversations were away is there once they are back.",
            )
        return _shown(reply)

    return router


def _shown(reply: StoredReply) -> Reply:
    fields = {name: getattr(reply, name) for name in Reply.model_fields if name != "text"}
    return Reply(text=reply.body, **fields)
