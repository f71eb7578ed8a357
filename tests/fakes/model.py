"""An endpoint with OpenAI's chat completions and transcriptions, over real HTTP and with a memory.

    with FakeModel() as model:
        model.hears = "quero dois"
        ...
        assert model.asked[-1]["messages"][-1]["content"] == '[voice note: "quero dois"]'

LLMock, which other tests use, listens to no voice notes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from .server import Server


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
      says: the text of each completion.
      hears: the text of each transcription.
      asked: the bodies of the requests for completions.
      heard: what was to be written down.
      is_blind: pictures are refused.
    """

    def __init__(self) -> None:
        self.says = "Olá!"
        self.hears = "boa tarde"
        self.asked: list[dict[str, Any]] = []
        self.heard: list[VoiceNote] = []
        self.is_blind = False
        self._refusals: dict[str, deque[tuple[int, str]]] = {"chat": deque(), "audio": deque()}
        app = FastAPI(openapi_url=None)
        app.add_api_route("/v1/chat/completions", self._complete, methods=["POST"])
        app.add_api_route("/v1/audio/transcriptions", self._transcribe, methods=["POST"])
        self._server = Server(app)

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
        body = await request.json()
        self.asked.append(body)
        if refusal := self._refusal("chat"):
            return refusal
        if self.is_blind and any(isinstance(each["content"], list) for each in body["messages"]):
            return _refused(400, "0")
        message = {"role": "assistant", "content": self.says}
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
        return self._refusal("audio") or JSONResponse({"text": self.hears})

    def _refusal(self, what: str) -> Response | None:
        return _refused(*self._refusals[what].popleft()) if self._refusals[what] else None


def _refused(status: int, retry_after: str) -> Response:
    error = {"message": "The fake refuses", "type": "fake", "code": None, "param": None}
    return JSONResponse({"error": error}, status, {"Retry-After": retry_after})
