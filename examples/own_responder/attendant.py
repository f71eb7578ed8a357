"""Answers about orders."""

from __future__ import annotations

import asyncio
import re

from recado import Answer, Conversation, Responder, Settings, Usage

#: What a shop's own system would know.
ORDERS = {"A-17": "saiu para entrega", "A-18": "está sendo preparado"}

NUMBER = re.compile(r"\b[A-Z]-\d+\b")


class Attendant:
    """Knows the state of each order."""

    async def respond(self, conversation: Conversation) -> Answer | None:
        said = " ".join(message.text for message in conversation.unanswered)
        if re.fullmatch(r"\W*(obrigad[oa]|valeu)\W*", said, re.IGNORECASE):
            return None  # silence is an answer, too
        found = NUMBER.search(said.upper())
        number = found[0] if found else conversation.metadata.get("order")
        if number is None:
            return Answer("Qual é o número do seu pedido?", Usage("attendant"))
        state = await self.look_up(number)
        name = conversation.contact.name or "cliente"
        text = f"Olá, {name}! O pedido {number} {state}."
        return Answer(text, Usage("attendant"), metadata={"order": number})

    async def look_up(self, number: str) -> str:
        """Ask the shop's system, which takes a moment and holds up nobody else."""
        await asyncio.sleep(0.05)
        return ORDERS.get(number, "não foi encontrado")


def make(settings: Settings) -> Responder:  # noqa: ARG001  another responder may need them
    """What AI_PROVIDER names."""
    return Attendant()
