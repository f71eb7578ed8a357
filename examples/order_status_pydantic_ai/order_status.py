"""An agent of pydantic-ai that looks up orders, and calls a person when it should."""

from __future__ import annotations

from openai import AsyncOpenAI
from pydantic_ai import Agent, RunContext
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from recado import Answer, Conversation, load_settings

#: What a shop's own system would know.
ORDERS = {"A-17": "saiu para entrega", "A-18": "está sendo preparado"}

settings = load_settings()
client = AsyncOpenAI(
    base_url=settings.ai_base_url,
    api_key=settings.required("ai_api_key"),
    max_retries=0,  # Recado tries again, later and not at once
)


def call_a_person(why: str) -> Answer:
    """Call a person of the shop into the conversation. Use it when the customer asks for one.

    Args:
        why: what the person has to know, in a few words.
    """
    return Answer("Já chamo alguém da loja.", hand_over=why)


agent = Agent(
    OpenAIChatModel(settings.required("ai_model"), provider=OpenAIProvider(openai_client=client)),
    deps_type=Conversation,
    output_type=[str, call_a_person],
    instructions="You answer customers of a shop, briefly, in their language. Never guess an order's state.",
)


@agent.instructions
def the_customer(context: RunContext[Conversation]) -> str:
    """Tell the model whom it answers."""
    return f"The customer's name: {context.deps.contact.name or 'not known'}."


@agent.tool_plain
async def order_status(number: str) -> str:
    """Look up the state of an order.

    Args:
        number: the order's number, such as A-17.
    """
    return ORDERS.get(number.upper(), "não foi encontrado")
