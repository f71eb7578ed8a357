"""The fake Twilio of the tests speaks as Twilio does, as far as its own client tells."""

from __future__ import annotations

import inspect
import re
from typing import Any

from twilio.base.version import Version
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance, MessageList

from tests.fakes.twilio import Account, Message


class Payload(dict[str, Any]):
    """Notes what is looked for in it."""

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def message() -> Message:
    return Message("AC" + "1" * 32, "whatsapp:+5511900000001", "whatsapp:+15005550006", "Olá!", None)


def test_a_message_has_the_fields_that_the_client_reads() -> None:
    version: Version = Client("AC" + "1" * 32, "a token").api.v2010
    payload = Payload(message().as_json())

    read = MessageInstance(version, payload, account_sid="AC" + "1" * 32)

    assert payload.asked == payload.keys()
    assert (read.body, read.status, read.direction) == ("Olá!", "queued", "outbound-api")
    assert read.date_created is not None


def test_what_the_fake_makes_of_a_request_is_what_the_client_can_send() -> None:
    sent = set(re.findall(r'"(\w+)": ', inspect.getsource(MessageList._create)))
    understood = set(re.findall(r'form(?:\.get\(|\[)"(\w+)"', inspect.getsource(Account.accept)))

    assert {"To", "From", "Body"} <= understood <= sent
