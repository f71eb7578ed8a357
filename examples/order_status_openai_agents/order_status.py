"""An agent of the OpenAI Agents SDK that looks up orders."""

from __future__ import annotations

from agents import Agent, OpenAIChatCompletionsModel, RunContextWrapper, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

from recado import Conversation, load_settings

#: What a shop's own system would know.
ORDERS = {"A-17": "saiu para entrega", "A-18": "está sendo preparado"}

set_tracing_disabled(True)  # else the SDK reports each run to OpenAI

settings = load_settings()
client = AsyncOpenAI(
    base_url=settings.ai_base_url,
    api_key=settings.required("ai_api_key"),
    max_retries=0,  # Recado tries again, later and not at once
)


def instructions(context: RunContextWrapper[Conversation], _agent: Agent[Conversation]) -> str:
    """Tell the model what it does, and whom it answers."""
    name = context.context.contact.name or "not known"
    return (
        "You answer customers of a shop, briefly, in their language. Never guess an order's state. "
        f"The customer's name: {name}."
    )


@function_tool
async def order_status(number: str) -> str:
    """Look up the state of an order.

    Args:
        number: the order's number, such as A-17.
    """
    return ORDERS.get(number.upper(), "não foi encontrado")


agent = Agent[Conversation](
    name="Order status",
    instructions=instructions,
    model=OpenAIChatCompletionsModel(settings.required("ai_model"), openai_client=client),
    tools=[order_status],
)
