"""Twilio's REST API, as far as Recado uses it, over real HTTP and with a memory.

    with FakeTwilio() as twilio:
        account = twilio.account()
        account.refuse(429, 20429, retry_after="1")     # the next send
        ...
        assert [message.body for message in account.messages] == ["Olá"]

Every account is a world of its own, so that tests can share the server.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from ops.webhook import signed
from tests.support import plain_http

from .server import Server

#: Twilio's longest body, in characters.
MAX_BODY = 1_600


class Gate:
    """Where a request waits for a test.

    Attributes:
      reached: set once a request waits here.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        self.reached.set()
        while not self._open.is_set():  # noqa: ASYNC110  opened from another thread
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Answer:
    """What is to be done with a send.

    Attributes:
      status: of the HTTP answer.
      code: Twilio's number for the error.
      retry_after: the header's value.
      stores: whether the message is accepted, whatever the answer says.
      drops: the connection is reset in place of an answer.
      gate: passed before answering, and after storing.
      lists: whether the list of messages has it, if it is accepted.
    """

    status: int = 201
    code: int | None = None
    retry_after: str | None = None
    stores: bool = True
    drops: bool = False
    gate: Gate | None = None
    lists: bool = True


ACCEPT = Answer()

#: In the place of a contact: a send to whomever is answered so.
ANYBODY = ""


@dataclass
class Message:
    """A message Twilio accepted."""

    account_sid: str
    contact: str
    address: str
    body: str
    status_callback: str | None
    validity_s: int | None = None
    media: tuple[str, ...] = ()
    content_sid: str | None = None
    content_variables: str | None = None
    messaging_service: str | None = None
    sid: str = field(default_factory=lambda: "SM" + secrets.token_hex(16))
    status: str = "queued"
    error_code: int | None = None
    is_listed: bool = True
    direction: str = "outbound-api"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def as_json(self) -> dict[str, Any]:
        uri = f"/2010-04-01/Accounts/{self.account_sid}/Messages/{self.sid}"
        return {
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": format_datetime(self.created_at),
            "date_sent": None,
            "date_updated": format_datetime(self.created_at),
            "direction": self.direction,
            "error_code": self.error_code,
            "error_message": None,
            "from": self.address,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.contact,
            "uri": f"{uri}.json",
        }


@dataclass
class Attachment:
    """What a contact attached.

    Attributes:
      account_sid: the account that received it.
      content, content_type: what is served.
      missing: how many times it is not there yet when it is asked for.
      status, retry_after: how it is refused, where it is.
      leads_to: where the API leads to; to the content, on this server, when not set.
      asked: the headers of each request for the content.
    """

    account_sid: str
    content: bytes
    content_type: str
    missing: int = 0
    status: int = 307
    retry_after: str | None = None
    leads_to: str | None = None
    asked: list[Mapping[str, str]] = field(default_factory=list)
    sid: str = field(default_factory=lambda: "ME" + secrets.token_hex(16))
    message_sid: str = field(default_factory=lambda: "MM" + secrets.token_hex(16))

    @property
    def path(self) -> str:
        return f"/2010-04-01/Accounts/{self.account_sid}/Messages/{self.message_sid}/Media/{self.sid}"

    @property
    def url(self) -> str:
        """Its address, as webhooks have it."""
        return f"https://api.twilio.com{self.path}"


def attached(*attachments: Attachment) -> dict[str, str]:
    """The parameters by which a webhook names them."""
    parameters = {"NumMedia": str(len(attachments))}
    for number, each in enumerate(attachments):
        parameters |= {f"MediaUrl{number}": each.url, f"MediaContentType{number}": each.content_type}
    return parameters


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    authorised: bool


class Account:
    """One Twilio account: its credentials, what it was asked, what it accepted, how it is to answer.

    Attributes:
      takes_token: REST is allowed with the auth token, and not with API keys only.
      changes: makes what the account keeps of a text that it is sent: trial accounts and smart encoding do.
    """

    def __init__(self, sid: str | None = None) -> None:
        self.takes_token = True
        self.changes: Callable[[str], str] = str
        self.sid = sid or "AC" + secrets.token_hex(16)
        self.auth_token = secrets.token_hex(16)
        self.messages: list[Message] = []
        self.requests: list[RecordedRequest] = []
        self.attachments: dict[str, Attachment] = {}
        self.indicators: list[RecordedRequest] = []
        self._typing_answers: deque[Answer] = deque()
        self._fetch_answers: deque[Answer] = deque()
        self._answers: dict[str, deque[Answer]] = {}
        self._keys: dict[str, str] = {}

    def api_key(self) -> tuple[str, str]:
        """A new API key: its SID and its secret."""
        sid, secret = "SK" + secrets.token_hex(16), secrets.token_hex(16)
        self._keys[sid] = secret
        return sid, secret

    def attach(self, content: bytes, content_type: str, **how: Any) -> Attachment:
        """A new attachment, to be named in a webhook. How it is served is in `Attachment`."""
        attachment = Attachment(self.sid, content, content_type, **how)
        self.attachments[attachment.sid] = attachment
        return attachment

    # -- how it is to answer the next sends, to anybody or to one contact ------------------------------

    def answer(self, *answers: Answer, to: str = ANYBODY) -> None:
        """Answer the next sends like this, one after the other."""
        self._answers.setdefault(to, deque()).extend(answers)

    def refuse(
        self, status: int, code: int, *, retry_after: str | None = None, times: int = 1, to: str = ANYBODY
    ) -> None:
        """Do not accept them, and say why."""
        self.answer(*[Answer(status, code, retry_after=retry_after, stores=False)] * times, to=to)

    def fail(
        self, status: int = 500, code: int = 20500, *, stores: bool, times: int = 1, to: str = ANYBODY
    ) -> None:
        """Answer with a failure of Twilio's own, the message accepted or not."""
        self.answer(*[Answer(status, code, stores=stores)] * times, to=to)

    def drop(self, *, stores: bool, to: str = ANYBODY) -> None:
        """Reset the connection in place of an answer."""
        self.answer(Answer(stores=stores, drops=True), to=to)

    def withhold(self, *, stores: bool = True, to: str = ANYBODY) -> Gate:
        """Take the request in, and do not answer before the gate is opened."""
        gate = Gate()
        self.answer(Answer(stores=stores, gate=gate), to=to)
        return gate

    def refuse_typing(self, status: int, *, retry_after: str | None = None, times: int = 1) -> None:
        """Show none of the next typing indicators, and say so."""
        self._typing_answers.extend([Answer(status, retry_after=retry_after)] * times)

    def withhold_typing(self) -> Gate:
        """Take a typing indicator in, and do not answer before the gate is opened."""
        gate = Gate()
        self._typing_answers.append(Answer(200, gate=gate))
        return gate

    def refuse_fetch(self, status: int, *, retry_after: str | None = None, times: int = 1) -> None:
        """Do not tell of the next messages that are asked about."""
        self._fetch_answers.extend([Answer(status, retry_after=retry_after)] * times)

    # -- what it was asked and accepted ----------------------------------------------------------------

    @property
    def sends(self) -> list[RecordedRequest]:
        """Every request to send, accepted or not."""
        return [request for request in self.requests if request.method == "POST"]

    def sent_to(self, contact: str) -> list[Message]:
        return [message for message in self.messages if message.contact == contact]

    def bodies_to(self, contact: str) -> list[str]:
        return [message.body for message in self.sent_to(contact)]

    @property
    def fetched(self) -> list[str]:
        """The SIDs of the messages that were asked about, each as often as it was."""
        paths = [request.path for request in self.requests if request.method == "GET"]
        found = [re.fullmatch(r".*/Messages/((?:SM|MM)[0-9a-f]{32})\.json", path) for path in paths]
        return [each[1] for each in found if each is not None]

    def forget(self) -> None:
        """All of it, and what is still to be answered in a special way."""
        self.messages.clear()
        self.requests.clear()
        self.attachments.clear()
        self.indicators.clear()
        self._answers.clear()
        self._typing_answers.clear()
        self._fetch_answers.clear()
        self.changes = str

    # -- what it tells us --------------------------------------------------------------------------------

    def report(
        self, message: Message, status: str, *, through: str, error_code: int | None = None
    ) -> httpx.Response:
        """Send a status callback to the message's StatusCallback, signed.

        Parameters:
          through: where that URL's host leads in this test, such as `http://127.0.0.1:8000`.
        """
        assert message.status_callback is not None
        message.status, message.error_code = status, error_code
        parameters = {
            "AccountSid": self.sid,
            "ApiVersion": "2010-04-01",
            "From": message.address,
            "MessageSid": message.sid,
            "MessageStatus": status,
            "SmsSid": message.sid,
            "SmsStatus": status,
            "To": message.contact,
        }
        if error_code is not None:
            parameters["ErrorCode"] = str(error_code)
        called = message.status_callback.partition("#")[
            0
        ]  # connection overrides are not signed, and not sent
        body, headers = signed(called, parameters, auth_token=self.auth_token)
        url = urlsplit(called)
        headers["Host"] = url.netloc
        return plain_http.post(f"{through}{url.path}?{url.query}", content=body, headers=headers)

    # -- the server's side -------------------------------------------------------------------------------

    def admits(self, authorization: str) -> bool:
        known = {self.sid: self.auth_token, **self._keys} if self.takes_token else self._keys
        return any(
            authorization == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
            for user, password in known.items()
        )

    def next_answer(self, contact: str) -> Answer:
        waiting = self._answers.get(contact) or self._answers.get(ANYBODY)
        return waiting.popleft() if waiting else ACCEPT

    def next_fetch_answer(self) -> Answer:
        return self._fetch_answers.popleft() if self._fetch_answers else Answer(200)

    def next_typing_answer(self) -> Answer:
        return self._typing_answers.popleft() if self._typing_answers else Answer(200)

    def accept(self, form: Mapping[str, str], *, is_listed: bool) -> Message:
        message = Message(
            account_sid=self.sid,
            contact=form["To"],
            address=form["From"],
            body=self.changes(form.get("Body", "")),
            status_callback=form.get("StatusCallback"),
            validity_s=int(form["ValidityPeriod"]) if "ValidityPeriod" in form else None,
            media=tuple(form.get("MediaUrl", "").split()),
            content_sid=form.get("ContentSid"),
            content_variables=form.get("ContentVariables"),
            messaging_service=form.get("MessagingServiceSid"),
            is_listed=is_listed,
        )
        self.messages.append(message)
        return message


class FakeTwilio:
    """The server."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        app = FastAPI(openapi_url=None)
        account = "/2010-04-01/Accounts/{sid}"
        app.add_api_route(account + "/Messages.json", self._send, methods=["POST"])
        app.add_api_route(account + "/Messages.json", self._list, methods=["GET"])
        app.add_api_route(account + "/Messages/{message}.json", self._fetch, methods=["GET"])
        app.add_api_route(account + ".json", self._look_up, methods=["GET"])
        app.add_api_route(account + "/Messages/{message}/Media/{media}", self._media, methods=["GET"])
        app.add_api_route("/content/{media}", self._content, methods=["GET"])
        app.add_api_route("/v2/Indicators/Typing.json", self._show_typing, methods=["POST"])
        self._server = Server(_WithTransport(app))

    def account(self, sid: str | None = None) -> Account:
        """A new account."""
        account = Account(sid)
        self._accounts[account.sid] = account
        return account

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> FakeTwilio:
        self._server.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._server.__exit__(*args)

    async def _send(self, sid: str, request: Request) -> Response:
        account, refusal = await self._enter(sid, request)
        if account is None:
            return refusal
        form = account.requests[-1].form
        if invalid := _what_is_wrong(form):
            return _error(400, invalid, about=form.get("To", ""))
        answer = account.next_answer(form["To"])
        message = account.accept(form, is_listed=answer.lists) if answer.stores else None
        if answer.gate is not None:
            await answer.gate.passed()
        if answer.drops:
            request.scope["transport"].abort()
        if message is not None and answer.status == 201:
            return JSONResponse(message.as_json(), 201)
        return _error(answer.status, answer.code or 20500, about=form["To"], retry_after=answer.retry_after)

    async def _list(self, sid: str, request: Request) -> Response:
        account, refusal = await self._enter(sid, request)
        if account is None:
            return refusal
        query = request.query_params
        size = int(query.get("PageSize", "50"))
        found = [
            message.as_json()
            for message in reversed(account.messages)  # newest first, as Twilio does
            if message.is_listed
            and query.get("To", message.contact) == message.contact
            and query.get("From", message.address) == message.address
        ][:size]
        uri = f"{request.url.path}?PageSize={size}&Page=0"
        return JSONResponse(
            {
                "end": len(found) - 1,
                "first_page_uri": uri,
                "messages": found,
                "next_page_uri": None,
                "page": 0,
                "page_size": size,
                "previous_page_uri": None,
                "start": 0,
                "uri": uri,
            }
        )

    async def _fetch(self, sid: str, message: str, request: Request) -> Response:
        account, refusal = await self._enter(sid, request)
        if account is None:
            return refusal
        answer = account.next_fetch_answer()
        if answer.status != 200:
            return _error(answer.status, 20000 + answer.status, retry_after=answer.retry_after)
        found = next((each for each in account.messages if each.sid == message), None)
        return _error(404, 20404) if found is None else JSONResponse(found.as_json())

    async def _look_up(self, sid: str, request: Request) -> Response:
        account, refusal = await self._enter(sid, request)
        return refusal if account is None else JSONResponse({"sid": sid, "status": "active", "type": "Full"})

    async def _show_typing(self, request: Request) -> Response:
        """What `messaging.twilio.com` has. No account is named but by the credentials."""
        authorization = request.headers.get("authorization", "")
        account = next((each for each in self._accounts.values() if each.admits(authorization)), None)
        if account is None:
            return _error(401, 20003)
        form = {name: str(value) for name, value in (await request.form()).items()}
        account.indicators.append(RecordedRequest(request.method, request.url.path, {}, form, True))
        is_message = re.fullmatch(r"(SM|MM)[0-9a-fA-F]{32}", form.get("messageId", "")) is not None
        if not is_message or form.get("channel") != "whatsapp":
            return _error(400, 20001)
        answer = account.next_typing_answer()
        if answer.gate is not None:
            await answer.gate.passed()
        if answer.status == 200:
            return JSONResponse({"success": True})
        return _error(answer.status, 20000 + answer.status, retry_after=answer.retry_after)

    async def _media(self, sid: str, media: str, request: Request) -> Response:
        account, refusal = await self._enter(sid, request)
        attachment = None if account is None else account.attachments.get(media)
        if attachment is None:
            return refusal
        if attachment.missing:
            attachment.missing -= 1
            return _error(404, 20404)
        if attachment.status != 307:
            return _error(attachment.status, 20500, retry_after=attachment.retry_after)
        place = attachment.leads_to or f"{self.url}/content/{media}"
        return Response(status_code=307, headers={"Location": place})

    async def _content(self, media: str, request: Request) -> Response:
        found = [each for account in self._accounts.values() for each in account.attachments.values()]
        attachment = next(each for each in found if each.sid == media)
        attachment.asked.append(dict(request.headers))
        return Response(attachment.content, media_type=attachment.content_type)

    async def _enter(self, sid: str, request: Request) -> tuple[Account | None, Response]:
        """Record the request; the account, if the credentials are its own, and what to say if not."""
        account = self._accounts.get(sid)
        authorised = account is not None and account.admits(request.headers.get("authorization", ""))
        if account is not None:
            sent = await request.form()
            form = {name: " ".join(map(str, sent.getlist(name))) for name in sent}
            account.requests.append(
                RecordedRequest(
                    request.method, request.url.path, dict(request.query_params), form, authorised
                )
            )
        return account if authorised else None, _error(401, 20003)


def _what_is_wrong(form: Mapping[str, str]) -> int | None:
    """Twilio's code for the first thing that is."""
    for name, code in (("To", 21604), ("From", 21603)):
        if not form.get(name):
            return code
    if not any(form.get(name) for name in ("Body", "MediaUrl", "ContentSid")):
        return 21602
    if not 1 <= int(form.get("ValidityPeriod", "36000")) <= 36_000:
        return 21621
    return 21617 if len(form.get("Body", "")) > MAX_BODY else None


def _error(status: int, code: int, *, about: str = "", retry_after: str | None = None) -> Response:
    body = {
        "code": code,
        "message": f"The fake refuses '{about}' with {code}",  # Twilio too quotes what it refuses
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return JSONResponse(body, status, headers)


class _WithTransport:
    """Gives the application its connection, so that it can be dropped: uvicorn has no other way."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "transport": send.__self__.transport}, receive, send)
