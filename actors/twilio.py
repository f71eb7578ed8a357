"""Twilio's REST API: sending, looking up, and what each of its errors means for a reply."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import urllib3
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from .conversations import Reply
from .metrics import metrics
from .retry_after import retry_after_ms
from .sender import NotSentEver, NotSentYet, PerhapsSent, SendError
from .spans import calling, note

#: Where the REST API lives; `TWILIO_API_BASE_URL` may name another place.
TWILIO_API = "https://api.twilio.com"

#: Refused for now, by a limit or by a window that passes: pace the next try
#: (https://www.twilio.com/docs/api/errors; the numbers mean: 14107 send rate, 21611 queue full,
#: 63018 channel's rate, 30022 carrier's rate).
PACED = {14107, 21611, 63018, 30022}
PACE_MS = 30_000

#: Statuses by which a request was certainly refused, before a message was made of it. All others leave it
#: open, 4xx among them: 408 and 425 ask for the request again, 409 and 423 speak of another one, and 499 is
#: a proxy's, when its client had left while Twilio was at it.
REFUSALS = frozenset(
    {400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 416, 417, 422, 428, 429, 431, 451}
)

#: An operator has to mend the account first: 20003 credentials, 30002 account suspended.
OPERATOR = {20003, 30002}

#: Twilio's clock and ours may differ by so much, in seconds, when a reply is looked up by time.
CLOCK_SLACK_S = 30

#: How many of the latest messages to a contact are looked through.
LOOK_BACK = 50


#: What the metrics call what became of a call.
_OUTCOMES: dict[type[SendError], str] = {NotSentYet: "not_yet", NotSentEver: "never", PerhapsSent: "unknown"}


class TwilioSender:
    """Sends replies through Twilio.

    Twilio has no idempotency key: whatever leaves it open whether a message was accepted must not be
    repeated, so every failure is sorted by that question first.

    Parameters:
      account_sid, auth_token: credentials.
      status_callback_url: where Twilio reports on deliveries; the reply's id is added to its query.
      api_base_url: where the API is.
      timeout_s: longest wait for connecting, and for an answer, in seconds. twilio's own default is none.
    """

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

    def send(self, reply: Reply) -> str:
        with self._calling("send", reply) as client:
            message = client.messages.create(
                to=reply.contact,
                from_=reply.address,
                body=reply.body,
                status_callback=f"{self._status_callback_url}?reply={quote(reply.reply_id)}",
            )
            note({"twilio.message_sid": str(message.sid)})
        return str(message.sid)

    def find(self, reply: Reply, *, is_known: Callable[[str], bool]) -> str | None:
        try:
            with self._calling("find", reply) as client:
                messages = client.messages.list(to=reply.contact, limit=LOOK_BACK)
                sids = (str(message.sid) for message in messages if _is_the_same(message, reply))
                sid = next((sid for sid in sids if not is_known(sid)), None)
                note({"twilio.message_sid": sid})
        except SendError as error:
            raise NotSentYet(f"Twilio cannot be asked about a reply: {error}") from error
        return sid

    @contextmanager
    def _calling(self, operation: str, reply: Reply) -> Iterator[Any]:
        """A call of Twilio's, made inside with the client this gives: timed, counted, its errors explained.

        Raises:
          NotSentYet, NotSentEver, PerhapsSent: what a failure means for whatever was asked.
        """
        client, host = self._client(), urlsplit(self._api_base_url).hostname
        with calling(f"twilio {operation}", {"server.address": host, "recado.reply_id": reply.reply_id}):
            try:
                with metrics().twilio_seconds.labels(operation).time():
                    yield client
            except (TwilioException, requests.RequestException) as error:
                meaning, code = _meaning_of(error, client.http_client), getattr(error, "code", None)
                outcome = _OUTCOMES[type(meaning)]
                metrics().twilio_requests.labels(operation, outcome).inc()
                metrics().twilio_errors.labels(operation, str(code or type(error).__name__)).inc()
                note({"twilio.outcome": outcome, "twilio.error_code": code})
                raise meaning from error
            metrics().twilio_requests.labels(operation, "accepted").inc()
            note({"twilio.outcome": "accepted"})

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


def _meaning_of(error: Exception, http_client: _HttpClient) -> SendError:
    """Sort a failure: certainly not sent (yet, or ever), or perhaps sent."""
    if isinstance(error, requests.RequestException):
        message = f"Twilio gave no answer: {type(error).__name__}: {error}"
        return NotSentYet(message) if _never_connected(error) else PerhapsSent(message)
    # TwilioRestException and TwilioServiceException have nothing but these names in common.
    status, code = getattr(error, "status", None), getattr(error, "code", None)
    message = f"Twilio answered {status}, error {code}: {getattr(error, 'msg', None) or error}"
    if status not in REFUSALS:
        return PerhapsSent(message)
    if status == 429:
        return NotSentYet(message, delay_ms=retry_after_ms(http_client.retry_after))
    if code in PACED or code in OPERATOR:
        return NotSentYet(message, delay_ms=PACE_MS)
    return NotSentEver(message)


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
