"""An endpoint with OpenAI's chat completions and transcriptions, over real HTTP and with a memory.

    with FakeModel() as model:
        model.hears = "quero dois"
        ...
        assert model.asked[-1]["messages"][-1]["content"] == '[voice note: "quero dois"]'

LLMock, which other tests use, listens to no voice notes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from .server import Server

#: What the limit of an answer is called: newer models refuse the one, older endpoints the other.
LIMIT_NAMES = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class VoiceNote:
    """What was to be written down, and how it came."""

    model: str
    name: str
    content_type: str
    content: bytes


class FakeModel:
    """The server.

    Attributes:
      says: the text of each completion, or what makes it of the request.
      hears: the text of each transcription, or what makes it of the voice note.
      latency_s: how long a completion takes, in seconds.
      asked: the bodies of the requests for completions.
      heard: what was to be written down.
      is_blind: pictures are refused.
      limit_name: what the limit of an answer is called; another name for it is refused.
    """

    says: str | Callable[[Mapping[str, Any]], str]
    hears: str | Callable[[VoiceNote], str]
    latency_s: Callable[[], float]
    is_blind: bool
    limit_name: str | None

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.heard: list[VoiceNote] = []
        self._refusals: dict[str, deque[tuple[int, str]]] = {"chat": deque(), "audio": deque()}
        app = FastAPI(openapi_url=None)
        app.add_api_route("/v1/chat/completions", self._complete, methods=["POST"])
        app.add_api_route("/v1/audio/transcriptions", self._transcribe, methods=["POST"])
        self._server = Server(app)
        self.forget()

    def forget(self) -> None:
        """Begin anew: what it was asked, and how it is to answer."""
        self.says, self.hears, self.is_blind, self.limit_name = "Olá!", "boa tarde", False, None
        self.latency_s = float
        self.asked.clear()
        self.heard.clear()
        for refusals in self._refusals.values():
            refusals.clear()

    def read(self, request: int = -1) -> str:
        """What the contact said last, as the model was shown it in one of the requests."""
        said = self.asked[request]["messages"][-1]["content"]
        return said if isinstance(said, str) else str(said[0]["text"])

    @property
    def url(self) -> str:
        """Its address, for AI_BASE_URL."""
        return f"{self._server.url}/v1"

    def refuse(self, what: str, status: int, *, retry_after: str = "0", times: int = 1) -> None:
        """Refuse the next requests for `chat` or `audio`."""
        self._refusals[what].extend([(status, retry_after)] * times)

    def __enter__(self) -> FakeModel:
        self._server.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._server.__exit__(*args)

    async def _complete(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ClientDisconnect:  # its worker died
            return Response(status_code=400)
        self.asked.append(body)
        if refusal := self._refusal("chat"):
            return refusal
        if self.is_blind and any(isinstance(each["content"], list) for each in body["messages"]):
            return _refused(400, "0")
        for name in LIMIT_NAMES:
            if name in body and self.limit_name not in (None, name):
                return _unsupported(name, str(self.limit_name))
        says = self.says if isinstance(self.says, str) else self.says(body)
        await asyncio.sleep(self.latency_s())
        message = {"role": "assistant", "content": says}
        return JSONResponse(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )

    async def _transcribe(self, request: Request) -> Response:
        async with request.form() as form:
            file: Any = form["file"]
            note = VoiceNote(str(form["model"]), file.filename, file.content_type, await file.read())
        self.heard.append(note)
        hears = self.hears if isinstance(self.hears, str) else self.hears(note)
        return self._refusal("audio") or JSONResponse({"text": hears})

    def _refusal(self, what: str) -> Response | None:
        return _refused(*self._refusals[what].popleft()) if self._refusals[what] else None


def _refused(status: int, retry_after: str) -> Response:
    error = {"message": "The fake refuses", "type": "fake", "code": None, "param": None}
    return JSONResponse({"error": error}, status, {"Retry-After": retry_after})


def _unsupported(name: str, other: str) -> Response:
    """Refuse a parameter, in OpenAI's words."""
    message = f"Unsupported parameter: '{name}' is not supported with this model. Use '{other}' instead."
    kind = {"type": "invalid_request_error", "param": name, "code": "unsupported_parameter"}
    return JSONResponse({"error": {"message": message, **kind}}, 400)
