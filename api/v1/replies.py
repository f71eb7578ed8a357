"""Replies: what became of each."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from actors.conversations.reader import KeptCall
from actors.prices import MICRO
from actors.reply import Reply as StoredReply
from actors.reply import ReplyKind, ReplyState

from .callers import Operator, Reader
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


class ToolUse(BaseModel):
    """A tool that an agent called on its way to an answer. Of long texts a part is kept."""

    name: str
    arguments: str = Field(description="as the model wrote them; mostly JSON")
    result: str = Field(description="as the model was told; empty where it returned nothing")


class ModelCall(BaseModel):
    """How a reply came about that a model wrote. Of an answer in several replies the first one has it."""

    model: str
    input_tokens: int | None = Field(description="null: the model does not tell")
    output_tokens: int | None = Field(description="null: the model does not tell")
    cost: float | None = Field(description="of the tokens, in the currency; null: the model had no price")
    seconds: float | None = Field(description="from asking to the answer")
    prompt: str | None = Field(
        description="what the model was asked, cut in the middle where it is long; null: not kept, see "
        "AI_KEEP_PROMPTS"
    )
    tool_calls: list[ToolUse]


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

    @router.get("/{reply_id}/model-call", responses=documented("not-found"))
    async def get_model_call(_: Operator, reply_id: str) -> ModelCall:
        """Return what a model was asked for a reply, what it did, and what that took."""
        call = await context.run(lambda: context.conversations.reader.model_call(reply_id))
        if call is None:
            raise Refused(
                "not-found",
                f"There is no reply {reply_id[:200]} that a model wrote, or it is not kept any more.",
            )
        return _asked(call)

    return router


def _asked(call: KeptCall) -> ModelCall:
    return ModelCall(
        model=call.model,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cost=None if call.cost is None else call.cost / MICRO,
        seconds=None if call.took_ms is None else call.took_ms / 1_000,
        prompt=call.prompt or None,
        tool_calls=[ToolUse(name=c.name, arguments=c.arguments, result=c.result) for c in call.tool_calls],
    )


def _shown(reply: StoredReply) -> Reply:
    fields = {name: getattr(reply, name) for name in Reply.model_fields if name != "text"}
    return Reply(text=reply.body, **fields)
