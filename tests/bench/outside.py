"""The model and Twilio, as far as the customers' theme needs them: one lean server with a memory.

It has to cost less than what it measures, because both share the machine. So it parses what it must, and no
more.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs

import uvicorn

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Já saiu para entrega, chega hoje à tarde!"},
            }
        ],
        "usage": {"prompt_tokens": 50, "completion_tokens": 12, "total_tokens": 62},
    }
).encode()


class Outside:
    """Answers what a model and Twilio are asked.

    Parameters:
      model_s: how long the model takes, in seconds.
      takes: how many calls it takes at a time; it answers 429 to others. None for no limit.

    Attributes:
      answered: when a contact's reply was accepted, in seconds of the monotonic clock, one for each reply.
      most_calls: how many calls the model had in hand, at most.
      refused: when the model refused a call, in seconds of the monotonic clock.
    """

    def __init__(self, model_s: float, takes: int | None = None) -> None:
        self._model_s = model_s
        self._takes = takes
        self.refused: list[float] = []
        self._calls = 0
        self.most_calls = 0
        self.answered: dict[str, list[float]] = {}
        self._messages: dict[str, list[dict[str, str]]] = {}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        path: str = scope["path"]
        if path.endswith("/chat/completions"):
            if self._takes is not None and self._calls >= self._takes:
                self.refused.append(time.monotonic())
                await _respond(send, 429, b'{"error": {"code": "rate_limit_exceeded", "message": "slower"}}')
            else:
                await _respond(send, 200, await self._model())
        elif path.endswith("/Messages.json") and scope["method"] == "GET":
            await _respond(send, 200, self._sent_to(scope["query_string"]))
        elif path.endswith("/Messages.json"):
            await _respond(send, 201, self._accept(body))
        else:
            await _respond(send, 200, json.dumps([self.answered, self.most_calls, self.refused]).encode())

    async def _model(self) -> bytes:
        self._calls += 1
        self.most_calls = max(self.most_calls, self._calls)
        try:
            await asyncio.sleep(self._model_s)
        finally:
            self._calls -= 1
        return _ANSWER

    def _accept(self, body: bytes) -> bytes:
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        contact, created_at = fields["To"], format_datetime(datetime.now(UTC))
        self.answered.setdefault(contact, []).append(time.monotonic())
        message = {
            "sid": f"SM{len(self.answered):032x}",
            "status": "queued",
            "direction": "outbound-api",
            "body": fields["Body"],
            "from": fields["From"],
            "to": contact,
            "date_created": created_at,
        }
        self._messages.setdefault(contact, []).append(message)
        return json.dumps({**message, "error_code": None}).encode()

    def _sent_to(self, query: bytes) -> bytes:
        [contact] = parse_qs(query.decode())["To"]
        return json.dumps({"messages": self._messages.get(contact, []), "next_page_uri": None}).encode()


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(channel: Connection, model_s: float, takes: int | None = None) -> None:
    """Serve on a free port, which is told through the channel."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    channel.send(listener.getsockname()[1])
    config = uvicorn.Config(
        Outside(model_s, takes), log_level="warning", access_log=False, timeout_keep_alive=60, backlog=4096
    )
    uvicorn.Server(config).run(sockets=[listener])
