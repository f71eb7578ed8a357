"""Webhooks as Twilio sends them: for whatever plays Twilio, such as `recado send`, the demo and tests."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

#: Where Twilio brings messages, below PUBLIC_BASE_URL.
MESSAGES_PATH = "/webhooks/twilio/messages"

#: Stands for the account where none is configured.
DEMO_ACCOUNT = "AC" + "0" * 32


def message_parameters(
    text: str, *, sender: str, to: str, message_sid: str | None = None, account_sid: str = DEMO_ACCOUNT
) -> dict[str, str]:
    """The parameters of an inbound message, those of WhatsApp included when it is one."""
    sid = message_sid or "SM" + secrets.token_hex(16)
    parameters = {
        "AccountSid": account_sid,
        "ApiVersion": "2010-04-01",
        "Body": text,
        "From": sender,
        "MessageSid": sid,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "SmsStatus": "received",
        "To": to,
    }
    if sender.startswith("whatsapp:"):
        parameters |= {
            "MessageType": "text",
            "ProfileName": "A contact",
            "WaId": sender.removeprefix("whatsapp:+"),
        }
    return parameters


def signed(url: str, parameters: Mapping[str, str], *, auth_token: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a signed form."""
    signature = RequestValidator(auth_token).compute_signature(url, dict(parameters))
    headers = {"Content-Type": "application/x-www-form-urlencoded", SIGNATURE_HEADER: signature}
    return urlencode(parameters).encode(), headers
