"""What the outside asks of Recado: webhooks, status callbacks, and requests to `/api/v1`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import httpx

from .ledger import Accepted, Inbound, Ledger, Written
from .recado import PUBLIC_URL
from .server import NO_TLS
from .signing import signature
from .twilio import better

#: How long Twilio waits for an answer, in seconds.
TIMEOUT_S = 15.0

#: The pause before a request is repeated that had no good answer, in seconds.
AGAIN_S = 1.0

#: How often a status callback is tried: once, and five times more.
CALLBACK_TRIES = 6

ADDRESS = "whatsapp:+15005550006"

#: How many requests are under way at once. Those that wait while Recado is away wait outside of the HTTP
#: client: for each request it looks at all that it has, and thousands kept the judge's own servers busy.
AT_ONCE = 150


class Client:
    """Sends requests, and writes down which had a good answer.

    Parameters:
      url: Recado's.
      ledger: where it is written down.
      account_sid, auth_token: the account's.

    Attributes:
      deadline: until when a request is repeated, in seconds of the monotonic clock.
      token: for `/api/v1`.
    """

    def __init__(self, url: str, ledger: Ledger, *, account_sid: str, auth_token: str) -> None:
        self._url = url
        self._ledger = ledger
        self._account_sid = account_sid
        self._auth_token = auth_token
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=20),
            verify=NO_TLS,
        )
        self._places = asyncio.Semaphore(AT_ONCE)
        self.deadline = 0.0
        self.token = ""

    async def close(self) -> None:
        await self._http.aclose()

    async def webhook(self, inbound: Inbound, text: str, more: Mapping[str, str] | None = None) -> None:
        """Send a message's webhook until it has a 200, always under the same MessageSid."""
        parameters = {
            "AccountSid": self._account_sid,
            "ApiVersion": "2010-04-01",
            "Body": text,
            "From": inbound.contact,
            "MessageSid": inbound.sid,
            "NumMedia": "0",
            "NumSegments": "1",
            "ProfileName": "A contact",
            "SmsMessageSid": inbound.sid,
            "SmsStatus": "received",
            "To": ADDRESS,
            "WaId": inbound.contact.removeprefix("whatsapp:+"),
            **(more or {}),
        }
        while not await self._form("/webhooks/twilio/messages", parameters):
            if time.monotonic() > self.deadline:
                return
            await asyncio.sleep(AGAIN_S)
        inbound.is_taken = True
        inbound.taken_at = min(inbound.taken_at, time.monotonic())

    async def report(self, message: Accepted, status: str) -> None:
        """Send a status callback, as often as Twilio tries."""
        parameters = {
            "AccountSid": self._account_sid,
            "ApiVersion": "2010-04-01",
            "From": message.address,
            "MessageSid": message.sid,
            "MessageStatus": status,
            "SmsSid": message.sid,
            "SmsStatus": status,
            "To": message.contact,
        }
        for _ in range(CALLBACK_TRIES):
            if await self._form(message.callback.partition("#")[0].removeprefix(PUBLIC_URL), parameters):
                message.told = better(message.told, status)
                return
            await asyncio.sleep(AGAIN_S)

    async def say(self, text: Written, message_id: str, body: str) -> None:
        """Have a person's text sent, until that was accepted, always under the same key."""
        path = f"/conversations/{message_id}/messages"
        answer = await self.api("POST", path, {"text": body}, key=text.key)
        if answer is not None:
            text.reply_id = answer["reply_id"]

    async def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        wanted: Sequence[int] = (200, 202),
    ) -> Any:
        """Ask `/api/v1`, again and again until the deadline; None when no good answer came."""
        headers = {"Authorization": f"Bearer {self.token}"} | (
            {} if key is None else {"Idempotency-Key": key}
        )
        while True:
            try:
                async with self._places:
                    answer = await self._http.request(
                        method, f"{self._url}/api/v1{path}", json=body, headers=headers
                    )
            except httpx.HTTPError as error:
                self._ledger.answers[f"api {type(error).__name__}"] += 1
            else:
                self._ledger.answers[f"api {answer.status_code}"] += 1
                if answer.status_code in wanted:
                    return answer.json()
                if answer.status_code < 500:
                    return None
            if time.monotonic() > self.deadline:
                return None
            await asyncio.sleep(AGAIN_S)

    async def _form(self, path: str, parameters: Mapping[str, str]) -> bool:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": signature(self._auth_token, PUBLIC_URL + path, parameters.items()),
        }
        try:
            async with self._places:
                answer = await self._http.post(
                    self._url + path, content=urlencode(parameters), headers=headers
                )
        except httpx.HTTPError as error:
            self._ledger.answers[type(error).__name__] += 1
            return False
        self._ledger.answers[str(answer.status_code)] += 1
        return answer.status_code == 200
