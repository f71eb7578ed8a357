"""A model that calls a tool: OpenAI's chat completions over real HTTP, for agents."""

from __future__ import annotations

import json
import re
import threading
from types import TracebackType
from typing import Any, Self

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from .server import Server

#: What each completion costs, in tokens.
PROMPT_TOKENS, COMPLETION_TOKENS = 11, 7

QUESTION = "Qual é o número do pedido?"

ORDER = re.compile(r"\b[A-Z]-\d+\b")


class ToolCallingModel:
    """Looks an order up with the tool `order_status`, and says what the tool said.

    Asked for a person, it calls the tool that wants to know why. Without an order it asks for one, by the
    tool that takes a text if there is one.

    Attributes:
      asked: the body of each request.
      failures: statuses and headers for the requests to come, in turn.
      is_stuck: it answers nothing, and waits until its caller hangs up.
      hung_up: set when a caller did.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.failures: list[tuple[int, dict[str, str]]] = []
        self.is_stuck = False
        self.hung_up = threading.Event()
        app = FastAPI()
        app.post("/v1/chat/completions")(self._complete)
        self._server = Server(app)
        self.base_url = f"{self._server.url}/v1"

    @property
    def settings(self) -> dict[str, str]:
        """Settings that lead to it."""
        return {"AI_BASE_URL": self.base_url, "AI_API_KEY": "sk-test", "AI_MODEL": "a-model"}

    def shown(self, request: int = -1) -> list[tuple[str, Any]]:
        """What one of the requests has the model read: roles and contents."""
        return [(each["role"], each.get("content")) for each in self.asked[request]["messages"]]

    async def _complete(self, request: Request) -> JSONResponse:
        body = await request.json()
        self.asked.append(body)
        if self.is_stuck:
            await request.receive()  # the body was read: what comes now is the end
            self.hung_up.set()
        if self.failures:
            status, headers = self.failures.pop(0)
            error = {"message": "a text of the customer's", "type": "an_error", "param": None, "code": None}
            return JSONResponse({"error": error}, status, headers)
        says, reason = _said(body), "stop"
        if "tool_calls" in says:
            reason = "tool_calls"
        choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", **says}}
        usage = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
        }
        return JSONResponse(
            {
                "id": f"completion-{len(self.asked)}",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": "a-model-of-today",
                "choices": [choice],
                "usage": usage,
            }
        )

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)


def _said(body: dict[str, Any]) -> dict[str, Any]:
    last = body["messages"][-1]
    if last["role"] == "tool":
        return {"content": f"O pedido {last['content']}."}
    tools = {  # their names, by their first parameter
        next(iter(tool["function"]["parameters"]["properties"])): tool["function"]["name"]
        for tool in body.get("tools", [])
    }
    if "why" in tools and "pessoa" in last["content"]:
        return _call(tools["why"], {"why": "asks for a person"})
    found = ORDER.search(last["content"])
    if "number" in tools and found:
        return _call(tools["number"], {"number": found[0]})
    if "text" in tools:
        return _call(tools["text"], {"text": QUESTION})
    return {"content": QUESTION}


def _call(name: str, arguments: dict[str, str]) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"id": "call-1", "type": "function", "function": function}]}
