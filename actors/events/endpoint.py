"""An endpoint of events: one of the URLs in EVENTS_URL."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from dramatiq.middleware import TimeLimitExceeded

from brokers.clock import now_ms
from ops.foundation.settings import Settings

from ..notices.receiver import label_of
from ..retry_after import retry_after_ms
from .event import Event, encoded
from .signature import signature_headers

if TYPE_CHECKING:
    import httpx

#: How many events a worker process delivers at a time. Of each it holds the text, a thread and a connection.
MOST_AT_ONCE = 16

#: Answers of 400 to 499 that may be others later: too slow, too early, too many.
PASSING = frozenset({408, 425, 429})


class NotTaken(Exception):
    """An event was not taken, and may be later. The message says why, and has no secret in it.

    Parameters:
      message: what happened.
      retry_after_ms: when the endpoint wants to be asked again, in milliseconds; None where it does not say.
    """

    def __init__(self, message: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class Refused(Exception):
    """An event will not be taken, whenever it is sent. The message says why, and has no secret in it."""


class Endpoint:
    """Sends events to one URL. Thread-safe. Its URL is a secret: no log line and no error has it.

    One that does not answer in time is asked by one event at a time from then on, until it does: otherwise
    it would take all places, and those that answer would wait for it.

    Parameters:
      number: its place in EVENTS_URL, from 1.
      url: where.
      keys: to sign with.
      timeout_s: the longest wait for a connection, and for each part of the answer, in seconds.

    Attributes:
      name: its stored name: its place, so that a URL that was mended gets what waited for it.
      label: what people may read in its place.
    """

    def __init__(self, number: int, url: str, *, keys: Sequence[bytes], timeout_s: float) -> None:
        self.name = str(number)
        self.label = label_of(number, url)
        self._url = url
        self._keys = keys
        self._timeout_s = timeout_s
        self._is_silent = False
        self._asking_the_silent = threading.Lock()

    def post(self, event: Event) -> None:
        """Send an event; return when it was taken: answered with a status from 200 to 299.

        No redirect is followed: where events go, the operator says. The answer's body is not read.

        Raises:
          NotTaken: there was no answer, or one that may be another later.
          Refused: it was another one.
        """
        if not self._is_silent:
            self._post(event)
        elif self._asking_the_silent.acquire(blocking=False):
            try:
                self._post(event)
            finally:
                self._asking_the_silent.release()
        else:
            raise NotTaken(f"{self.label} does not answer: another event finds out when it does")

    def _post(self, event: Event) -> None:
        import httpx  # noqa: PLC0415  slow to import

        body = encoded(event)
        headers = signature_headers(event["id"], body, at_s=now_ms() // 1_000, keys=self._keys)
        headers = {**headers, "Content-Type": "application/json", "User-Agent": "Recado"}
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                status, pause = answer.status_code, answer.headers.get("Retry-After")
            self._is_silent = False
        except TimeLimitExceeded:
            self._is_silent = True
            raise
        except (httpx.TransportError, httpx.InvalidURL) as error:
            self._is_silent = isinstance(error, httpx.TimeoutException)
            raise NotTaken(f"{self.label}: the connection failed: {type(error).__name__}") from None
        if 200 <= status < 300:
            return
        if status >= 500 or status in PASSING:
            raise NotTaken(f"{self.label} answered {status}", retry_after_ms=retry_after_ms(pause))
        led = ", and redirects are not followed" if 300 <= status < 400 else ""
        raise Refused(f"{self.label} answered {status}{led}")

    @cached_property
    def _client(self) -> httpx.Client:
        """Made where the first event is sent: only workers send any."""
        import httpx  # noqa: PLC0415  slow to import

        return httpx.Client(
            timeout=self._timeout_s,
            limits=httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE),
            follow_redirects=False,
        )


def endpoints_of(settings: Settings) -> Mapping[str, Endpoint]:
    """Make the endpoints that EVENTS_URL names, by their names."""
    endpoints = [
        Endpoint(number, url, keys=settings.events_keys, timeout_s=settings.events_timeout_s)
        for number, url in enumerate(settings.events_url_list, 1)
    ]
    return {endpoint.name: endpoint for endpoint in endpoints}
