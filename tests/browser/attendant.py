"""A shop's attendant: a responder that knows a few answers, and has one question it refuses."""

from __future__ import annotations

import time

from recado import Answer, Conversation, Responder, ResponderRefused, Settings, Usage

#: What the shop answers, by a word of the question.
ANSWERS = {
    "domingo": "Abrimos sim! No domingo, das 9h às 13h. 🙂",
    "entrega": "A entrega custa R$ 8,00 no bairro e R$ 15,00 no resto da cidade. Chega em até 2 dias úteis.",
    "pedido": "Seu pedido já saiu para entrega e chega hoje até as 18h.",
    "pix": "Aceitamos Pix, cartão e dinheiro na entrega.",
    "trocar": "Pode trocar em até 7 dias, com a nota fiscal. Quer que eu reserve outro tamanho?",
    "obrigad": "Nós que agradecemos! Qualquer coisa, é só chamar. 💚",
}

#: A question the model refuses to answer.
REFUSED = "receita"


class Attendant:
    """Answers what it knows, after thinking for a moment."""

    def respond(self, conversation: Conversation) -> Answer:
        time.sleep(0.12)
        asked = " ".join(line.text for line in conversation.unanswered).lower()
        if REFUSED in asked:
            raise ResponderRefused("The model refuses: medical advice is outside of its policy")
        known = [answer for word, answer in ANSWERS.items() if word in asked]
        return Answer(known[0] if known else "Claro! Pode me contar um pouco mais?", Usage("attendant"))


def attendant(_settings: Settings) -> Responder:
    return Attendant()
