"""The way out and in that all apps share: what Twilio sends, the model, and Twilio's API."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import parse_qsl

import httpx
from fastapi import Depends, Request

PATH = "/webhooks/twilio/messages"

#: Patience with the model and with Twilio, in seconds.
TIMEOUT_S = 30

#: Each call has a connection of its own. In httpx's pool a connection was now and then closed while another
#: thread used it, which would have been counted against the peer.
_http = httpx.Client(timeout=TIMEOUT_S, limits=httpx.Limits(max_keepalive_connections=0))


async def _read(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


#: The parameters of a webhook, for an endpoint.
Form = Annotated[dict[str, str], Depends(_read)]


def think(text: str) -> str:
    """Ask the model for an answer to a text."""
    messages = [{"role": "user", "content": text}]
    url = f"{os.environ['AI_BASE_URL']}/chat/completions"
    answer = _http.post(url, json={"model": "judge", "messages": messages}).raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


def send(contact: str, address: str, text: str) -> None:
    """Send a reply through Twilio."""
    account, token = os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"]
    url = f"{os.environ['TWILIO_API_BASE_URL']}/2010-04-01/Accounts/{account}/Messages.json"
    message = {"To": contact, "From": address, "Body": text}
    _http.post(url, data=message, auth=(account, token)).raise_for_status()
