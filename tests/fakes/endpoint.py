"""Receives events over real HTTP, and checks their signatures by code of its own.

with FakeEndpoint() as endpoint:
    endpoint.answer(503, times=2)
    ...
    assert endpoint.types == ["message.received", "reply.sent"]
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response

from .server import Server

#: A part of the URL that no log line and no dead letter may have in it.
TOKEN = "t0k3n-nobody-may-see"

#: What signs, and its form for EVENTS_SECRET.
KEY = b"32 bytes that are kept a secret."
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"

#: How old a request may be, in seconds.
TOLERANCE_S = 300


class Taken(NamedTuple):
    """An event that was taken."""

    event: dict[str, Any]
    body: bytes
    headers: Mapping[str, str]


class Hanging:
    """Requests without an answer.

    Attributes:
      count: how many came in.
      reached: set once one did.
      over: set when they are answered.
    """

    def __init__(self) -> None:
        self.count = 0
        self.reached = threading.Event()
        self.over = threading.Event()


class FakeEndpoint:
    """The server.

    Attributes:
      taken: what it took, repetitions too.
      refused: how many requests it answered as `answer` says.
      forged: requests whose signature is wrong, or missing. They get 401.
    """

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.refused: list[Mapping[str, str]] = []
        self.forged = 0
        self._status, self._times = 200, 0.0
        self._headers: Mapping[str, str] = {}
        self._hanging: Hanging | None = None
        app = FastAPI(openapi_url=None)
        app.add_api_route("/{path:path}", self._take, methods=["POST", "GET"])
        self._server = Server(app)

    @property
    def url(self) -> str:
        return f"{self._server.url}/{TOKEN}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it took, each once."""
        return list({taken.event["id"]: taken.event for taken in self.taken}.values())

    @property
    def types(self) -> list[str]:
        """Of these, in no order that would be promised."""
        return sorted(event["type"] for event in self.events)

    def answer(self, status: int, *, times: float = float("inf"), **headers: str) -> None:
        """Answer the next requests like this; all of them until `accept`."""
        self._status, self._headers, self._times = status, headers, times

    def accept(self) -> None:
        """Take events from now on."""
        self._times = 0

    @contextmanager
    def hanging(self) -> Iterator[Hanging]:
        """While inside, answer nothing to what comes in."""
        self._hanging = Hanging()
        try:
            yield self._hanging
        finally:
            self._hanging.over.set()
            self._hanging = None

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        if (hanging := self._hanging) is not None:
            hanging.count += 1
            hanging.reached.set()
            await asyncio.to_thread(hanging.over.wait)
            return Response(status_code=503)
        if not is_signed(request.headers, body):
            self.forged += 1
            return Response(status_code=401)
        if self._times > 0:
            self._times -= 1
            self.refused.append(dict(request.headers))
            headers = {name.replace("_", "-"): value for name, value in self._headers.items()}
            return Response(status_code=self._status, headers=headers)
        self.taken.append(Taken(json.loads(body), body, dict(request.headers)))
        return Response(status_code=204)

    def __enter__(self) -> FakeEndpoint:
        self._server.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._server.__exit__(*args)


def is_signed(headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether a request comes from the one who knows `KEY`."""
    try:
        said_at = int(headers["webhook-timestamp"])
        signed = headers["webhook-id"].encode() + b"." + str(said_at).encode() + b"." + body
        given = headers["webhook-signature"].split()
    except (KeyError, ValueError):
        return False
    expected = "v1," + base64.b64encode(hmac.new(KEY, signed, "sha256").digest()).decode()
    return abs(time.time() - said_at) < TOLERANCE_S and any(
        hmac.compare_digest(expected, each) for each in given
    )
