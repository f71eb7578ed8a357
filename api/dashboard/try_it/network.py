"""Plays Twilio between a customer's phone and the API: signed webhooks over HTTP, to the real routes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from actors.channels.twilio.webhook import MESSAGES_PATH, signed
from actors.services import STATUS_CALLBACK_PATH
from brokers.clock import now_ms
from ops.foundation.settings import Settings

#: How long the API may take to answer, in seconds: as long as Twilio waits.
ANSWERED_WITHIN_S = 15.0


class NotReached(Exception):
    """The API could not be reached; the text says why."""


class Posted(NamedTuple):
    """A webhook that was posted.

    Attributes:
      at_ms: when, in milliseconds since the epoch.
      status: of the API's answer.
      took_ms: until the answer was there, in milliseconds.
    """

    at_ms: int
    status: int
    took_ms: float


class Network:
    """Posts webhooks to the API of these settings. Thread-safe.

    Parameters:
      settings: have the API's place and what Twilio signs with.
    """

    def __init__(self, settings: Settings) -> None:
        import httpx  # noqa: PLC0415  an API that plays nobody does not carry it

        self._failure = httpx.HTTPError
        self._local_url = settings.local_url
        self._public_url = settings.public_base_url or settings.local_url
        self._auth_token = next(iter(settings.auth_tokens), "unchecked")
        # No proxy of the environment's: the API is on this machine. Nor TLS, whose certificates take long to
        # read.
        self._client = httpx.Client(trust_env=False, verify=False, timeout=ANSWERED_WITHIN_S)  # noqa: S501

    def bring(self, parameters: Mapping[str, str]) -> Posted:
        """Bring a message of a customer.

        Raises:
          NotReached: the API does not answer.
        """
        return self._post(MESSAGES_PATH, parameters)

    def report(self, reply_id: str, parameters: Mapping[str, str]) -> Posted:
        """Report how the delivery of a reply goes on.

        Raises:
          NotReached: the API does not answer.
        """
        return self._post(f"{STATUS_CALLBACK_PATH}?reply={quote(reply_id, safe='')}", parameters)

    def close(self) -> None:
        """Close the connections to the API."""
        self._client.close()

    def _post(self, path: str, parameters: Mapping[str, str]) -> Posted:
        body, headers = signed(self._public_url + path, parameters, auth_token=self._auth_token)
        at_ms, began = now_ms(), time.perf_counter()
        try:
            answer = self._client.post(self._local_url + path, content=body, headers=headers)
        except self._failure as error:
            raise NotReached(str(error) or type(error).__name__) from error
        return Posted(at_ms, answer.status_code, (time.perf_counter() - began) * 1000)
