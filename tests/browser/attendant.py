"""A shop's attendant: a responder that knows a few answers, and has one question it refuses."""

from __future__ import annotations

import time

from recado import Answer, Conversation, Responder, ResponderRefused, Settings, ToolCall, Usage

#: What the shop answers, by a word of the question.
ANSWERS = {
    "domingo": "Abrimos sim! No domingo, das 9h às 13h. 🙂",
    "entrega": "A entrega custa R$ 8,00 no bairro e R$ 15,00 no resto da cidade. Chega em até 2 dias úteis.",
    "pedido": "Seu pedido já saiu para entrega e chega hoje até as 18h.",
    "pix": "Aceitamos Pix, cartão e dinheiro na entrega.",
    "caneca": "Temos sim! Por R$ 39,00, e hoje só restam duas. ☕",
    "trocar": "Pode trocar em até 7 dias, com a nota fiscal. Quer que eu reserve outro tamanho?",
    "obrigad": "Nós que agradecemos! Qualquer coisa, é só chamar. 💚",
}

#: A question the model refuses to answer.
REFUSED = "receita"


class Attendant:
    """Answers what it knows, after thinking for a moment.

    Parameters:
      thinks_s: for how long, in seconds.
    """

    def __init__(self, thinks_s: float = 0.12) -> None:
        self._thinks_s = thinks_s

    def respond(self, conversation: Conversation) -> Answer:
        time.sleep(self._thinks_s)
        asked = " ".join(line.text for line in conversation.unanswered).lower()
        if REFUSED in asked:
            raise ResponderRefused("The model refuses: medical advice is outside of its policy")
        known = [answer for word, answer in ANSWERS.items() if word in asked]
        text = known[0] if known else "Claro! Pode me contar um pouco mais?"
        said = [*conversation.history, *conversation.unanswered]
        prompt = "system:\nYou answer the customers of a shop.\n\n" + "\n\n".join(
            f"{'user' if each.author == 'contact' else 'assistant'}:\n{each.text}" for each in said
        )
        calls = [ToolCall("delivery_price", '{"to": "bairro"}', "R$ 8,00")] if "entrega" in asked else []
        usage = Usage("attendant", input_tokens=len(prompt), output_tokens=len(text))
        return Answer(text, usage, tool_calls=calls, prompt=prompt)


def attendant(_settings: Settings) -> Responder:
    return Attendant()


def slow_attendant(_settings: Settings) -> Responder:
    """One that leaves time to look at what happens."""
    return Attendant(thinks_s=2.5)
