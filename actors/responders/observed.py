"""A responder whose calls are counted, timed, traced and logged. The one inside knows nothing of that."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from ..answer import Answer, Usage
from ..conversation import Conversation
from ..metrics import metrics
from ..spans import calling, note
from .asking import Asked
from .responder import ResponderRefused, ResponderUnavailable

logger = structlog.get_logger(__name__)


class ObservedResponder:
    """Observes another responder.

    Parameters:
      responder: the one that answers.
      provider: what metrics and spans call it.
      attributes: of each span, by OpenTelemetry's conventions for generative AI, without what was said.
    """

    def __init__(
        self, responder: Asked, *, provider: str, attributes: Mapping[str, str | int | None]
    ) -> None:
        self._responder = responder
        self._provider = provider
        self._attributes = attributes
        self._span = f"chat {attributes.get('gen_ai.request.model') or provider}"

    def respond(self, conversation: Conversation) -> Answer:
        try:
            with metrics().ai_seconds.labels(self._provider).time(), calling(self._span, self._attributes):
                answer = self._responder.respond(conversation)
                usage = answer.usage or Usage(self._provider)
                note(
                    {
                        "gen_ai.response.model": usage.model,
                        "gen_ai.usage.input_tokens": usage.input_tokens,
                        "gen_ai.usage.output_tokens": usage.output_tokens,
                    }
                )
        except Exception as error:
            metrics().ai_requests.labels(self._provider, _outcome(error)).inc()
            metrics().ai_errors.labels(self._provider, type(error).__name__).inc()
            logger.warning("no answer from the responder", error=str(error))
            raise
        metrics().ai_requests.labels(self._provider, "answered").inc()
        for kind, tokens in (("prompt", usage.input_tokens), ("completion", usage.output_tokens)):
            metrics().ai_tokens.labels(usage.model, kind).inc(tokens or 0)
        logger.info(
            "answered",
            messages=len(conversation.unanswered),
            model=usage.model,
            tokens=usage.tokens,
            tool_calls=len(answer.tool_calls),
        )
        return answer


def _outcome(error: Exception) -> str:
    """What the metrics call it."""
    match error:
        case ResponderUnavailable():
            return "unavailable"
        case ResponderRefused():
            return "refused"
        case _:
            return "failed"
