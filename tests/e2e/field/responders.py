"""A responder of one's own that has nothing to say, and says it."""

from recado import Conversation, Responder, Settings


class Blank:
    """Answers with a text that has no word in it."""

    def respond(self, conversation: Conversation) -> str:
        return {"nothing": "", "blanks": " \n "}[conversation.unanswered[-1].text]


def blank(_settings: Settings) -> Responder:
    return Blank()
