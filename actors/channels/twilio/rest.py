"""Twilio's REST API: sending replies, and looking them up."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests
import urllib3
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from brokers.clock import now_ms

from ...reply import Reply, Template
from ...retry_after import retry_after_ms
from ..channel import (
    DeliveryStatus,
    Gone,
    InboundMessage,
    NotSentEver,
    NotSentYet,
    OptedOut,
    Others,
    Payload,
    PerhapsSent,
    SendError,
)
from . import delivery, inbound
from .credentials import Credentials
from .errors import NO_ANSWER, PACE_MS, REFUSAL, REFUSALS, WINDOW_IS_CLOSED, Meaning, meaning_of
from .hosts import TWILIO_API
from .inbound import KEYWORDS, Keywords
from .segments import segments
from .typing_indicator import WHATSAPP, TypingIndicator

#: Twilio's longest body, in characters (error 21617 beyond it).
MAX_CHARACTERS = 1_600

#: Twilio's clock and ours may differ by so much, in seconds, when a reply is looked up by time.
CLOCK_SLACK_S = 30

#: How Twilio is to call us back: five more times, also after an error or a silence of 3 s. It is in the URL's
#: fragment, which no signature covers (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
CALLBACK_OVERRIDES = "rc=5&rp=all&rt=3000"

#: What Twilio takes for ValidityPeriod, in seconds; less than a minute is of no use.
SHORTEST_VALIDITY_S, LONGEST_VALIDITY_S = 60, 36_000

#: For how long after a contact's last message a business may write what it likes on WhatsApp, in milliseconds
#: (https://www.twilio.com/docs/whatsapp/key-concepts#the-24-hour-window).
WHATSAPP_WINDOW_MS = 24 * 3_600_000

#: The code of what WhatsApp refuses outside of that window.
OUTSIDE_WINDOW = 63016

#: What a trial account's messages begin with.
TRIAL_PREFIX = "Sent from your Twilio trial account - "

#: What smart encoding puts in the place of signs that would cost a message its cheap encoding, after NFKC
#: (https://www.twilio.com/docs/messaging/services/smart-encoding-char-list).
SMART_SIGNS = str.maketrans(
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2010\u2011\u2012\u2013\u2014\u2212",
    "''''\"\"\"\"------",
)

#: What twilio's library raises when an answer is no JSON, or JSON of another form than Twilio's.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

#: How many of the latest messages to a contact are looked through.
LOOK_BACK = 50


@dataclass(frozen=True, slots=True)
class Senders:
    """Holds what the settings say of our addresses.

    Attributes:
      messaging_services: the SID of a Messaging Service by the address that sends through it.
      sms_per_second, whatsapp_per_second: how many segments an SMS number, and messages a WhatsApp sender,
        may send; None for as fast as they come: Twilio queues them.
      window_template: the Content SID of what is sent to a WhatsApp contact who wrote too long ago. Its first
        variable is the reply's text. None: such a reply fails, and a person is told.
    """

    messaging_services: Mapping[str, str] = field(default_factory=dict)
    sms_per_second: float | None = None
    whatsapp_per_second: float | None = None
    window_template: str | None = None

    def per_second(self, address: str) -> float | None:
        """Return how many messages an address may send in a second."""
        return self.whatsapp_per_second if address.startswith(WHATSAPP) else self.sms_per_second


class TwilioChannel:
    """SMS, MMS, WhatsApp, RCS and Messenger, through Twilio.

    Twilio has no idempotency key: whatever leaves it open whether a message was accepted must not be
    repeated, so every failure is sorted by that question first.

    Parameters:
      credentials: whose name replies are sent in.
      status_callback_url: where Twilio reports on deliveries; the reply's id is added to its query.
      senders: what the settings say of our addresses.
      keywords: what contacts say to the channel, beside Twilio's own keywords.
      max_age_ms: how old an answer may be when it leaves Twilio, in milliseconds.
      api_base_url: where the API is.
      timeout_s: longest wait for connecting, and for an answer, in seconds. twilio's own default is none.
    """

    max_characters = MAX_CHARACTERS
    not_found_is_not_sent = False  # it may be listed a moment later

    def __init__(
        self,
        *,
        credentials: Credentials,
        status_callback_url: str,
        senders: Senders = Senders(),
        max_age_ms: int = 3_600_000,
        keywords: Keywords = KEYWORDS,
        api_base_url: str = TWILIO_API,
        timeout_s: float = 10.0,
    ) -> None:
        self._credentials = credentials
        self._status_callback_url = status_callback_url
        self._senders = senders
        self.is_paced = (senders.sms_per_second, senders.whatsapp_per_second) != (None, None)
        self._max_age_ms = max_age_ms
        self._keywords = keywords
        self._api_base_url = api_base_url
        self._timeout_s = timeout_s
        self._typing = TypingIndicator(credentials, api_base_url=api_base_url)
        # Idle ones, by account: a requests session is not made for several threads at once.
        self._idle: defaultdict[str, list[Any]] = defaultdict(list)

    def read(self, payload: Payload) -> InboundMessage:
        return inbound.read(payload, self._keywords)

    def read_status(self, payload: Payload) -> DeliveryStatus:
        return delivery.read_status(payload)

    def send(self, reply: Reply) -> str:
        callback = f"{self._status_callback_url}?reply={quote(reply.reply_id)}#{CALLBACK_OVERRIDES}"
        said = self._said(reply)
        with self._calling(reply.account) as client:
            message = client.messages.create(
                to=reply.contact,
                from_=reply.address,
                status_callback=callback,
                validity_period=self._validity_s(reply),
                **said,
            )
        if not _has_sid(message):
            raise PerhapsSent(NO_ANSWER.format(what="its answer has no SID"))
        return str(message.sid)

    def _said(self, reply: Reply) -> dict[str, Any]:
        """Return the parameters of what is said.

        Raises:
          NotSentEver: nothing may be said that is no template, and there is none for that.
        """
        service = self._senders.messaging_services.get(reply.address)
        said: dict[str, Any] = {} if service is None else {"messaging_service_sid": service}
        template = reply.content.template or self._window_template(reply)
        if template is not None:
            variables = json.dumps(dict(template.variables), ensure_ascii=False)
            return {**said, "content_sid": template.sid, "content_variables": variables}
        if reply.body:
            said["body"] = reply.body
        if reply.content.media:
            said["media_url"] = list(reply.content.media)
        return said

    def _window_template(self, reply: Reply) -> Template | None:
        """Return what is sent in place of a text, where WhatsApp takes no text any more."""
        closed_at = None if reply.heard_at is None else reply.heard_at + WHATSAPP_WINDOW_MS
        if not reply.contact.startswith(WHATSAPP) or closed_at is None or now_ms() < closed_at:
            return None
        if self._senders.window_template is None:
            raise NotSentEver(WINDOW_IS_CLOSED, code=OUTSIDE_WINDOW)
        return Template(
            self._senders.window_template, {"1": " ".join(reply.body.split())}
        )  # takes no line breaks

    def segments(self, reply: Reply) -> int:
        return segments(reply)

    def pause_after_ms(self, reply: Reply) -> float:
        per_second = self._senders.per_second(reply.address)
        return 0.0 if per_second is None else 1_000 * segments(reply) / per_second

    def can_show_typing(self, message: InboundMessage) -> bool:
        return self._typing.is_for(message)

    def show_typing(self, message: InboundMessage) -> None:
        self._typing.show(message)

    def find(self, reply: Reply, *, is_known: Callable[[str], bool], others: Others = tuple) -> str | None:
        try:
            with self._calling(reply.account) as client:
                messages = client.messages.list(to=reply.contact, limit=LOOK_BACK)
                return _found(messages, reply, is_known, others)
        except SendError as error:
            message = f"Twilio cannot be asked about a reply: {error}"
            raise NotSentYet(message, code=error.code) from error

    def status_of(self, reply: Reply) -> Payload | None:
        if reply.external_id is None:
            raise Gone("Twilio's id of the reply is not known")
        try:
            with self._calling(reply.account) as client:
                message = client.messages(reply.external_id).fetch()
        except SendError as error:
            raise _not_told(error) from error
        error_code = _number(message, "error_code")
        return delivery.callback(reply, status=str(message.status), error_code=error_code)

    @contextmanager
    def _calling(self, account: str) -> Iterator[Any]:
        """Give a client to call Twilio with inside, and explain its errors.

        Raises:
          NotSentYet, NotSentEver, PerhapsSent: what a failure means for the reply.
        """
        client = self._take_client(account)
        try:
            yield client
        except (TwilioException, requests.RequestException, *UNREADABLE) as error:
            explained = _explained(error, client.http_client)
            self._idle[account].append(client)
            raise explained from error
        self._idle[account].append(client)  # not after an interrupt in the middle of a call

    def _take_client(self, account: str) -> Any:
        """Return a client for an account, with its open connection. The caller gives it back."""
        try:
            return self._idle[account].pop()  # list.pop is atomic
        except IndexError:
            http_client = _HttpClient(self._api_base_url, timeout=self._timeout_s)
            user, password = self._credentials.of(account)
            return Client(user, password, account_sid=account, http_client=http_client)

    def _validity_s(self, reply: Reply) -> int:
        """Return for how long Twilio may try: until the reply is too old; anew when a person replayed it."""
        left_ms = reply.received_at + self._max_age_ms - now_ms()
        return max(
            SHORTEST_VALIDITY_S,
            min((left_ms if left_ms > 0 else self._max_age_ms) // 1000, LONGEST_VALIDITY_S),
        )


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
    if not isinstance(error, TwilioException):
        message = _told(NO_ANSWER, what=f"{type(error).__name__}: {error}")
        return NotSentYet(message) if _never_connected(error) else PerhapsSent(message)
    # TwilioRestException and TwilioServiceException have nothing but these names in common.
    status, code = _number(error, "status"), _number(error, "code")
    message = _told(REFUSAL, status=status, code=code, what=_words(error))
    if status not in REFUSALS:
        return PerhapsSent(message, code=code)
    if status == 429:
        return NotSentYet(message, code=code, delay_ms=retry_after_ms(http_client.retry_after))
    match meaning_of(code):
        case Meaning.PACED | Meaning.OPERATOR:
            return NotSentYet(message, code=code, delay_ms=PACE_MS)
        case Meaning.OPTED_OUT:
            return OptedOut(message, code=code)
        case Meaning.PERMANENT:
            return NotSentEver(message, code=code)


def _number(of: object, name: str) -> int | None:
    """Return a number that an error or a message of the library's has. An answer may have anything there."""
    value = getattr(of, name, None)
    return value if isinstance(value, int) else None


def _words(error: TwilioException) -> str:
    """Return what an error of the library's says. The library fails to where the answer is a strange one."""
    try:
        return str(getattr(error, "msg", None) or error)
    except UNREADABLE:
        return type(error).__name__


def _told(form: str, **parts: object) -> str:
    """Tell people. Half a surrogate pair, which JSON can escape and no store can keep, is a question mark."""
    return form.format(**parts).encode(errors="replace").decode()


def _not_told(error: SendError) -> SendError:
    """Sort a failure to tell of a message: another time, gone, or not told."""
    status = _number(error.__cause__, "status")
    if status in {404, 410}:
        return Gone(str(error), code=error.code)
    if status == 429 or status not in REFUSALS:  # no answer, too
        delay_ms = error.delay_ms if isinstance(error, NotSentYet) else None
        return NotSentYet(str(error), code=error.code, delay_ms=delay_ms)
    return NotSentEver(str(error), code=error.code)


def _never_connected(error: Exception) -> bool:
    """Refused, unresolved or timed out before a byte of the request left."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)  # urllib3 wraps it in a MaxRetryError
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _found(
    messages: Iterable[Any], reply: Reply, is_known: Callable[[str], bool], others: Others
) -> str | None:
    """Find a reply among the latest messages to its contact.

    Twilio knows no ids of ours: direction, addresses, text and time have to do. Texts are compared in a
    normal form, because Twilio may have changed them. One message that fits in all but its text is the reply
    too, unless it has the text of another one: that was sent while this one was looked for, and its id is not
    known yet.
    """
    text, beside = normal_form(reply.body), [(normal_form(other.text), other.in_flight) for other in others()]
    candidates = [
        message for message in messages if _may_be(message, reply) and not is_known(str(message.sid))
    ]
    same = [message for message in candidates if normal_form(message.body) == text]
    if len(same) > beside.count((text, True)):
        return str(same[-1].sid)  # the oldest: what is in flight began later
    theirs = {other for other, _ in beside}
    rest = [message for message in candidates if normal_form(message.body) not in theirs]
    may_be_another = any(in_flight for _, in_flight in beside)
    return str(rest[0].sid) if len(rest) == 1 and not (same or may_be_another) else None


def _may_be(message: Any, reply: Reply) -> bool:
    """Whether a message fits a reply by direction, addresses and time.

    `from_` is null at first when a Messaging Service picks the sender.
    """
    if not _has_sid(message):
        return False
    if not str(message.direction).startswith("outbound") or reply.sending_at is None:
        return False
    began = datetime.fromtimestamp(reply.sending_at / 1000 - CLOCK_SLACK_S, tz=UTC)
    if message.from_ not in (None, reply.address):
        return False
    return message.date_created is not None and message.date_created >= began


def _has_sid(message: Any) -> bool:
    """Tell whether a message has an id that later callbacks can name."""
    return isinstance(message.sid, str) and message.sid.isascii() and message.sid.isalnum()


def normal_form(text: str | None) -> str:
    """Return a text without what Twilio changes: a trial account's prefix, typographic signs, blanks."""
    plain = unicodedata.normalize("NFKC", (text or "").removeprefix(TRIAL_PREFIX)).translate(SMART_SIGNS)
    return " ".join(plain.split())
