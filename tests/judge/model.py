"""The fake model: its answer names the texts that it answers, so that each answer is known again."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from .ledger import TOKEN
from .server import Request, Response

#: How long it thinks, in seconds: at least, and at most.
THINKS_S = (0.02, 0.4)


class Model:
    """OpenAI's chat completions, for whatever asks.

    Parameters:
      dice: decides about faults and pauses.
      fault_rate: which part of the requests is refused, fails, or gets no answer.
    """

    def __init__(self, dice: random.Random, *, fault_rate: float) -> None:
        self._dice = dice
        self.fault_rate = fault_rate
        self.asked = 0

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        await asyncio.sleep(self._dice.uniform(*THINKS_S))
        if self._dice.random() < self.fault_rate:
            return self._dice.choice(
                (
                    Response(500, {"error": {"message": "the judge's fault"}}),
                    Response(429, {"error": {"message": "slower"}}, (("Retry-After", "1"),)),
                    Response(is_dropped=True),
                )
            )
        asked = json.loads(request.body)["messages"]
        message = {"role": "assistant", "content": f"Resposta a {' '.join(_unanswered(asked))}"}
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
    return tokens or ["nada"]
