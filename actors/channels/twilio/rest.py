"""Twilio's REST API: sending replies, and looking them up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests
import urllib3
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from ...reply import Reply
from ...retry_after import retry_after_ms
from ..channel import (
    DeliveryStatus,
    InboundMessage,
    NotSentEver,
    NotSentYet,
    Payload,
    PerhapsSent,
    SendError,
)
from . import delivery, inbound
from .errors import REFUSALS, Meaning, meaning_of

#: Where the REST API lives; `TWILIO_API_BASE_URL` may name another place.
TWILIO_API = "https://api.twilio.com"

#: Twilio's longest body, in characters (error 21617 beyond it).
MAX_CHARACTERS = 1_600

#: How long to wait before the next try of what is paced, in milliseconds.
PACE_MS = 30_000

#: Twilio's clock and ours may differ by so much, in seconds, when a reply is looked up by time.
CLOCK_SLACK_S = 30

#: How many of the latest messages to a contact are looked through.
LOOK_BACK = 50


class TwilioChannel:
    """SMS, MMS, WhatsApp, RCS and Messenger, through Twilio.

    Twilio has no idempotency key: whatever leaves it open whether a message was accepted must not be
    repeated, so every failure is sorted by that question first.

    Parameters:
      account_sid, auth_token: credentials.
      status_callback_url: where Twilio reports on deliveries; the reply's id is added to its query.
      api_base_url: where the API is.
      timeout_s: longest wait for connecting, and for an answer, in seconds. twilio's own default is none.
    """

    max_characters = MAX_CHARACTERS
    not_found_is_not_sent = False  # it may be listed a moment later

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        status_callback_url: str,
        api_base_url: str = TWILIO_API,
        timeout_s: float = 10.0,
    ) -> None:
        self._account_sid = account_sid
        self._auth_token = auth_token
        self._status_callback_url = status_callback_url
        self._api_base_url = api_base_url
        self._timeout_s = timeout_s
        self._thread = threading.local()  # a requests session is not made for several threads

    def read(self, payload: Payload) -> InboundMessage:
        return inbound.read(payload)

    def read_status(self, payload: Payload) -> DeliveryStatus:
        return delivery.read_status(payload)

    def send(self, reply: Reply) -> str:
        with self._calling() as client:
            message = client.messages.create(
                to=reply.contact,
                from_=reply.address,
                body=reply.body,
                status_callback=f"{self._status_callback_url}?reply={quote(reply.reply_id)}",
            )
        return str(message.sid)

    def find(self, reply: Reply, *, is_known: Callable[[str], bool]) -> str | None:
        try:
            with self._calling() as client:
                messages = client.messages.list(to=reply.contact, limit=LOOK_BACK)
                sids = (str(message.sid) for message in messages if _is_the_same(message, reply))
                return next((sid for sid in sids if not is_known(sid)), None)
        except SendError as error:
            message = f"Twilio cannot be asked about a reply: {error}"
            raise NotSentYet(message, code=error.code) from error

    @contextmanager
    def _calling(self) -> Iterator[Any]:
        """Give a client to call Twilio with inside, and explain its errors.

        Raises:
          NotSentYet, NotSentEver, PerhapsSent: what a failure means for the reply.
        """
        client = self._client()
        try:
            yield client
        except (TwilioException, requests.RequestException) as error:
            raise _explained(error, client.http_client) from error

    def _client(self) -> Any:
        client = getattr(self._thread, "client", None)
        if client is None:
            http_client = _HttpClient(self._api_base_url, timeout=self._timeout_s)
            client = Client(self._account_sid, self._auth_token, http_client=http_client)
            self._thread.client = client
        return client


class _HttpClient(TwilioHttpClient):  # type: ignore[misc]  # twilio is untyped
    """twilio's client, sent to another host if need be, and remembering what its errors leave out."""

    def __init__(self, api_base_url: str, *, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._api_base_url = api_base_url
        self.retry_after: str | None = None

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        self.retry_after = None
        if url.startswith(TWILIO_API):
            url = self._api_base_url + url.removeprefix(TWILIO_API)
        response = super().request(method, url, *args, **kwargs)
        self.retry_after = response.headers.get("Retry-After")
        return response


def _explained(error: Exception, http_client: _HttpClient) -> SendError:
    """Sort a failure: certainly not sent (yet, or ever), or perhaps sent."""
    if isinstance(error, requests.RequestException):
        message = f"Twilio gave no answer: {type(error).__name__}: {error}"
        return NotSentYet(message) if _never_connected(error) else PerhapsSent(message)
    # TwilioRestException and TwilioServiceException have nothing but these names in common.
    status, code = getattr(error, "status", None), getattr(error, "code", None)
    message = f"Twilio answered {status}, error {code}: {getattr(error, 'msg', None) or error}"
    if status not in REFUSALS:
        return PerhapsSent(message, code=code)
    if status == 429:
        return NotSentYet(message, code=code, delay_ms=retry_after_ms(http_client.retry_after))
    if meaning_of(code) is not Meaning.PERMANENT:
        return NotSentYet(message, code=code, delay_ms=PACE_MS)
    return NotSentEver(message, code=code)


def _never_connected(error: requests.RequestException) -> bool:
    """Refused, unresolved or timed out before a byte of the request left."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)  # urllib3 wraps it in a MaxRetryError
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _is_the_same(message: Any, reply: Reply) -> bool:
    """Twilio knows no ids of ours: direction, addresses, text and time have to do.

    `from_` is null at first when a Messaging Service picks the sender.
    """
    if not str(message.direction).startswith("outbound") or message.body != reply.body:
        return False
    if message.from_ not in (None, reply.address) or reply.sending_at is None:
        return False
    began = datetime.fromtimestamp(reply.sending_at / 1000 - CLOCK_SLACK_S, tz=UTC)
    return message.date_created is not None and message.date_created >= began
