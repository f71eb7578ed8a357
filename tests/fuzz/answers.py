"""Twilio's answers, its Retry-After, and its status callbacks: whatever they say, a reply has a next step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from urllib.parse import parse_qsl

import requests

from actors.channels import InvalidMessage
from actors.channels.channel import SendError
from actors.channels.twilio.credentials import Credentials
from actors.channels.twilio.delivery import read_status
from actors.channels.twilio.rest import TwilioChannel
from actors.reply import Reply
from actors.retry_after import LONGEST_MS, retry_after_ms
from api.bodies import to_payload

#: The first byte says which of these it is.
STATUSES = (200, 201, 204, 302, 400, 401, 404, 408, 429, 500, 503)

_ACCOUNT = "AC" + "1" * 32
_CHANNEL = TwilioChannel(
    credentials=Credentials(_ACCOUNT, _ACCOUNT, "a token"), status_callback_url="https://recado.example.com/s"
)
_REPLY = Reply(
    reply_id="reply-1",
    conversation="a conversation",
    channel="twilio",
    account=_ACCOUNT,
    contact="whatsapp:+5511900000001",
    address="whatsapp:+15005550006",
    body="Oi",
    kind="answer",
    state="sending",
    received_at=0,
    written_at=0,
    sending_at=0,
    external_id="SM" + "5" * 32,
    delivery_status=None,
    error=None,
    mode="assistant",
)

_LISTED = b'{"sid": "SM1", "direction": "outbound-api", "body": "Oi", "date_created": "%s", "status": "sent"}'
_SENT = _LISTED % b"Sat, 28 Nov 2026 12:00:00 +0000"

SEEDS = (
    *(
        b"",
        b"\0",
        b"\1\n{}",
        b"\1\n[]",
        b"\1\nnull",
        b"\1\n<html>",
        b"\1\n" + _SENT,
        b"\1\n" + _LISTED % b"x",
    ),
    *(b"\0\n" + _SENT, b'\0\n{"messages": [' + _SENT + b"]}", b'\0\n{"messages": [1]}', b'\0\n{"meta": 1}'),
    *(b'\0\n{"messages": [], "meta": {"key": "messages"}}', b'\0\n{"status": [], "error_code": {}}'),
    *(b'\4\n{"code": 21610, "message": "a"}', b'\4\n{"code": 63018}', b'\4\n{"code": 21211}', b"\4\n[]"),
    *(
        b'\4\n{"code": []}',
        b'\4\n{"code": "x"}',
        b'\4\n{"code": 1e999}',
        b'\6\n{"message": {}}',
        b"\x09\n\xff",
        b'\4\n{"message": "\\ud800", "code": 21211}',
    ),
    b'\4\n{"type": "a", "title": "b", "status": {}, "code": {}}',
    b'\4\n{"type": 1, "title": [], "status": 400, "code": 20003, "errors": 1}',
    *(
        b"\x08" + after + b'\n{"code": 20429}'
        for after in (b"1", b"1.5,", b"9" * 5_000, b"\xb2", b"-1", b"nan")
    ),
    *(b"\x08" + after + b"\n" for after in (b"Sat, 28 Nov 2026 12:00:60 GMT", b"Sun Feb 31 00:00:00 9999")),
    b"\x08Saturday, 28-Nov-26 99:00:00 GMT\n",
    b"\0\nMessageSid=SM5&MessageStatus=undelivered&ErrorCode=63018&To=%2B5511900000001",
    *(
        b"\0\nMessageSid=SM5&MessageStatus=failed&ErrorCode=" + code
        for code in (b"x", b"%D9%A3", b"9" * 5_000)
    ),
    b"\0\nMessageSid=SM5&MessageSid=SM6&ErrorCode=21610&ErrorCode=1",
)


@contextmanager
def twilio_says(status: int, body: bytes, *, retry_after: bytes = b"") -> Iterator[None]:
    """Have every request have this answer, and none leave this process."""

    def send(_adapter: object, request: requests.PreparedRequest, **_options: object) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.encoding, answer._content = status, "utf-8", body
        answer.headers["Retry-After"] = retry_after.decode("latin-1")
        answer.request, answer.url = request, str(request.url)
        return answer

    with patch("requests.adapters.HTTPAdapter.send", send):
        yield


def fuzz(data: bytes) -> None:
    """Have Twilio give one answer, a status, a Retry-After and a body, to all questions; read a callback."""
    status = STATUSES[data[0] % len(STATUSES)] if data else 200
    header, _, body = data[1:].partition(b"\n")
    pause_ms = retry_after_ms(header.decode("latin-1"))
    assert pause_ms is None or 0 <= pause_ms <= LONGEST_MS

    with twilio_says(status, body, retry_after=header):
        for ask in (
            lambda: _CHANNEL.send(_REPLY),
            lambda: _CHANNEL.find(_REPLY, is_known=lambda _sid: False),
            lambda: _CHANNEL.status_of(_REPLY),
        ):
            try:
                said: object = ask()
            except SendError as error:
                said = str(error)
            assert said != "None"
            json.dumps(said, ensure_ascii=False).encode()  # or no store could keep it

    try:
        told = read_status(to_payload(parse_qsl(body.decode(errors="replace"), keep_blank_values=True)))
    except InvalidMessage:
        return
    assert told.error is None or told.error.encode()
