"""The fake model: its answer names the texts that it answers, so that each answer is known again."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from .ledger import TOKEN
from .server import Request, Response

#: How long it thinks, in seconds: at least, and at most.
THINKS_S = (0.02, 0.4)


@dataclass
class Ask:
    """One request for an answer.

    Attributes:
      tokens: of the texts to be answered.
      at: when it came, in seconds of the monotonic clock.
      cut_off_at: when it was to be answered, and the program that had asked was gone.
    """

    tokens: list[str]
    at: float = field(default_factory=time.monotonic)
    cut_off_at: float | None = None


class Model:
    """OpenAI's chat completions, for whatever asks.

    Parameters:
      dice: decides about faults and pauses.
      fault_rate: which part of the requests is refused, fails, or gets no answer.
      thinks_s: how long it thinks, in seconds: at least, and at most.

    Attributes:
      asks: every request so far.
    """

    def __init__(
        self, dice: random.Random, *, fault_rate: float, thinks_s: tuple[float, float] = THINKS_S
    ) -> None:
        self._dice = dice
        self._thinks_s = thinks_s
        self.fault_rate = fault_rate
        self.asks: list[Ask] = []

    async def answer(self, request: Request) -> Response:
        ask = Ask(_unanswered(json.loads(request.body)["messages"]))
        self.asks.append(ask)
        await asyncio.sleep(self._dice.uniform(*self._thinks_s))
        if request.is_gone():
            ask.cut_off_at = time.monotonic()
        if self._dice.random() < self.fault_rate:
            return self._dice.choice(
                (
                    Response(500, {"error": {"message": "the judge's fault"}}),
                    Response(429, {"error": {"message": "slower"}}, (("Retry-After", "1"),)),
                    Response(is_dropped=True),
                )
            )
        message = {"role": "assistant", "content": f"Resposta a {' '.join(ask.tokens) or 'nada'}"}
        return Response(
            body={
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 0,
                "model": "judge",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60},
            }
        )


def _unanswered(messages: list[dict[str, Any]]) -> list[str]:
    """The tokens of what the contact wrote since something was last answered, in order."""
    tokens: list[str] = []
    for message in messages:
        if message["role"] == "assistant":
            tokens.clear()
        elif message["role"] == "user":
            tokens += TOKEN.findall(json.dumps(message["content"]))
    return tokens
