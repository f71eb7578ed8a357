"""Receives notices over real HTTP, as apprise's `json://` sends them.

with FakeReceiver() as receiver:
    receiver.refuse(2)      # the next two
    ...
    assert receiver.titles == ["A customer asks for a person"]
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response

from .server import Server

#: A part of the URL that no log line, no page and no answer may have in it.
SECRET = "T0K3N-nobody-may-see"


class Received(NamedTuple):
    """A notice that was taken."""

    title: str
    text: str


class FakeReceiver:
    """The server.

    Attributes:
      taken: what it took.
      refused: how many notices it refused.
      knocked: set once a notice came, taken or not.
    """

    def __init__(self) -> None:
        self.taken: list[Received] = []
        self.refused = 0
        self.knocked = threading.Event()
        self._to_refuse = 0.0
        app = FastAPI(openapi_url=None)
        app.add_api_route("/{path:path}", self._take, methods=["POST"])
        self._server = Server(app)

    @property
    def url(self) -> str:
        """As apprise wants it."""
        return f"{self._server.url.replace('http://', 'json://')}/{SECRET}"

    @property
    def titles(self) -> list[str]:
        return [notice.title for notice in self.taken]

    @property
    def text(self) -> str:
        """All that it was told."""
        return "\n".join(f"{notice.title}\n{notice.text}" for notice in self.taken)

    def refuse(self, times: float = float("inf")) -> None:
        """Refuse the next notices; all of them until `accept`."""
        self._to_refuse = times

    def accept(self) -> None:
        """Take notices from now on."""
        self._to_refuse = 0

    async def _take(self, request: Request) -> Response:
        body: dict[str, Any] = await request.json()
        self.knocked.set()
        if self._to_refuse > 0:
            self._to_refuse -= 1
            self.refused += 1
            return Response(status_code=500)
        self.taken.append(Received(body["title"], body["message"]))
        return Response(status_code=200)

    def __enter__(self) -> FakeReceiver:
        self._server.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._server.__exit__(*args)
