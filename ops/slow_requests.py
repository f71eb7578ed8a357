"""A limit for clients that send a part of a request, and then wait."""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ANSWER = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class TimelyRequests(HttpToolsProtocol):
    """uvicorn's connection, which is closed when a request is not whole in time, headers and body.

    Time runs from the connection, or from the first byte after an answer. uvicorn itself limits only how long
    a connection may be idle between two requests.

    Attributes:
      request_within_s: how long a client may take to send a request, in seconds.
    """

    request_within_s: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: TimerHandle | None = None
        self._has_headers = False  # of the request that is coming in

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Also for bytes that begin no request, such as an empty line: to uvicorn they end the idleness.
        if self._deadline is None and not self._is_answering:
            self._start()
        super().data_received(data)

    def on_message_begin(self) -> None:
        if self._deadline is None:  # a request behind one that is being answered
            self._start()
        self._has_headers = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._has_headers = True

    def on_message_complete(self) -> None:
        self._stop()
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: uvicorn logs two warnings for each request that asks for an upgrade."""

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start(self) -> None:
        self._deadline = self.loop.call_later(self.request_within_s, self._too_late)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        is_answering_another = self._is_answering and not self._has_headers
        if self.flow.read_paused or is_answering_another:
            self._start()  # the client is not the only one that is slow
            return
        self.logger.debug("a request was not whole within %g s: connection closed", self.request_within_s)
        if not (self._has_headers and self.cycle.response_started):
            self.transport.write(_ANSWER)
        self.transport.close()


def timely(request_within_s: float) -> type[TimelyRequests]:
    """Make the class of connections on which a request has to be whole in so many seconds."""
    return type("TimelyRequests", (TimelyRequests,), {"request_within_s": request_within_s})
