"""The fake Twilio: takes messages, remembers them, reports on them, and fails as the real one does."""

from __future__ import annotations

import asyncio
import base64
import random
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs

from .ledger import Accepted, Ledger
from .server import Request, Response
from .verdict import RANKS

#: A picture of one pixel, which every attachment is.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

#: The contact whose number Twilio says does not exist: their replies fail for good.
NOBODY = "whatsapp:+5511900000000"

#: The order in which a message's statuses are reported, each as a usual one and as a confused one.
ORDERS = (("sent", "delivered", "read"), ("delivered", "sent", "read"), ("read", "delivered", "delivered"))

#: Reports on a message: (the message, its status).
Report = Callable[[Accepted, str], Awaitable[None]]


class Twilio:
    """One account's REST API.

    Parameters:
      ledger: where what it accepts is written down.
      dice: decides about faults and callbacks.
      fault_rate: which part of the requests goes wrong, in one way or another.
      report: sends a status callback.
    """

    def __init__(self, ledger: Ledger, dice: random.Random, *, fault_rate: float, report: Report) -> None:
        self.account_sid = "AC" + secrets.token_hex(16)
        self.auth_token = secrets.token_hex(16)
        self.fault_rate = fault_rate
        self._ledger = ledger
        self._dice = dice
        self._report = report
        self._reports: set[asyncio.Task[None]] = set()

    async def answer(self, request: Request) -> Response:
        if "/Media/" in request.path:
            return self._attachment()
        if request.method == "GET":
            return self._list(request)
        form = request.form()
        if form["To"] == NOBODY:
            return _error(400, 21211)
        fault = self._dice.random()
        if fault < self.fault_rate / 2:
            return self._dice.choice((_error(429, 20429), _error(503, 20503), Response(is_dropped=True)))
        callback = form.get("StatusCallback", "")
        message = Accepted("SM" + secrets.token_hex(16), form["To"], form["From"], form["Body"], callback)
        self._ledger.accept(message)
        if callback:
            self._report_on(message)
        await asyncio.sleep(self._dice.uniform(0.01, 0.1))  # the first callback may come before the answer
        if fault < self.fault_rate:  # accepted, and the client does not hear of it
            return self._dice.choice((_error(500, 20500), Response(is_dropped=True)))
        return Response(201, _as_json(message))

    async def reported(self) -> None:
        """Return when nothing is left to be reported."""
        while self._reports:
            await asyncio.wait(self._reports)

    async def stop(self) -> None:
        """Report nothing any more."""
        for report in self._reports:
            report.cancel()
        await asyncio.gather(*self._reports, return_exceptions=True)

    def _report_on(self, message: Accepted) -> None:
        task = asyncio.create_task(self._report_all(message, self._dice.choice(ORDERS)))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report_all(self, message: Accepted, statuses: tuple[str, ...]) -> None:
        if self._dice.random() < 0.5:
            await asyncio.sleep(self._dice.uniform(0, 2))
        for status in statuses:
            await self._report(message, status)
            if self._dice.random() < 0.1:
                await self._report(message, status)

    def _attachment(self) -> Response:
        if self._dice.random() < 0.1:
            return _error(404, 20404)  # Twilio sends webhooks before the attachment is there
        return Response(body=PICTURE, headers=(("Content-Type", "image/png"),))

    def _list(self, request: Request) -> Response:
        to = parse_qs(request.query).get("To", [""])[0]
        found = [_as_json(message) for message in reversed(self._ledger.sent_to(to))][:50]
        return Response(body={"messages": found, "next_page_uri": None, "page": 0, "page_size": 50})


def better(one: str | None, other: str) -> str:
    """The later of two delivery statuses."""
    return other if one is None or RANKS[other] > RANKS[one] else one


def _as_json(message: Accepted) -> dict[str, object]:
    created = format_datetime(datetime.fromtimestamp(message.created_at, UTC))
    return {
        "sid": message.sid,
        "status": "queued",
        "direction": "outbound-api",
        "body": message.body,
        "from": message.address,
        "to": message.contact,
        "date_created": created,
        "date_sent": None,
        "date_updated": created,
        "error_code": None,
        "error_message": None,
    }


def _error(status: int, code: int) -> Response:
    return Response(status, {"code": code, "message": "the judge's fault", "status": status})
