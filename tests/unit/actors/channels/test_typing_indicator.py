"""Where the typing indicator is asked for, of which messages, and what an answer means."""

from __future__ import annotations

from contextlib import closing

import pytest

from actors.channels import InboundMessage, TypingNotShown
from actors.channels.twilio.credentials import Credentials
from actors.channels.twilio.hosts import host_of
from actors.channels.twilio.inbound import read
from actors.channels.twilio.typing_indicator import TypingIndicator
from ops.webhook import message_parameters
from tests.fakes.twilio import Account, FakeTwilio
from tests.support.conversations import ADDRESS
from tests.support.ports import free_port


@pytest.mark.parametrize(
    ("api", "messaging"),
    [
        ("https://api.twilio.com", "https://messaging.twilio.com"),
        ("https://api.dublin.ie1.twilio.com", "https://messaging.dublin.ie1.twilio.com"),
        ("http://127.0.0.1:9999", "http://127.0.0.1:9999"),
        ("https://api.example.com", "https://api.example.com"),
    ],
)
def test_another_host_of_twilios_is_found_from_the_apis(api: str, messaging: str) -> None:
    assert host_of("messaging", api) == messaging


@pytest.mark.parametrize(
    ("sender", "sid", "is_for"),
    [
        ("whatsapp:+5511900000001", "SM" + "a" * 32, True),
        ("whatsapp:+5511900000001", "MM" + "a" * 32, True),
        ("whatsapp:+5511900000001", "CA" + "a" * 32, False),
        ("+5511900000001", "SM" + "a" * 32, False),
    ],
)
def test_it_is_for_messages_on_whatsapp(sender: str, sid: str, is_for: bool) -> None:
    message = read(message_parameters("Oi", sender=sender, to=ADDRESS, message_sid=sid))

    assert TypingIndicator.is_for(message) is is_for


@pytest.mark.parametrize(
    ("status", "retry_after", "meaning"),
    [
        (403, None, (True, 3_600.0)),
        (401, None, (True, 3_600.0)),
        (404, None, (True, 60.0)),
        (400, None, (True, 0.0)),
        (429, "7", (True, 7.0)),
        (429, None, (True, 60.0)),
        (500, None, (False, 0.0)),
        (302, None, (False, 0.0)),
    ],
)
def test_a_refusal_tells_for_how_long_to_ask_no_more(
    twilio: FakeTwilio, account: Account, status: int, retry_after: str | None, meaning: tuple[bool, float]
) -> None:
    account.refuse_typing(status, retry_after=retry_after)
    credentials = Credentials(account.sid, account.sid, account.auth_token)

    with (
        closing(TypingIndicator(credentials, api_base_url=twilio.url)) as indicator,
        pytest.raises(TypingNotShown) as caught,
    ):
        indicator.show(a_message(account))

    assert (caught.value.is_refusal, caught.value.pause_s) == meaning


def test_it_is_asked_for_under_the_subaccount_that_received(twilio: FakeTwilio, account: Account) -> None:
    subaccount = twilio.account()
    credentials = Credentials(
        account.sid, account.sid, account.auth_token, {subaccount.sid: subaccount.auth_token}
    )

    with closing(TypingIndicator(credentials, api_base_url=twilio.url)) as indicator:
        indicator.show(a_message(subaccount))

    assert (len(subaccount.indicators), account.indicators) == (1, [])


def test_no_connection_says_nothing_of_the_account(account: Account) -> None:
    credentials = Credentials(account.sid, account.sid, account.auth_token)
    nowhere = f"http://127.0.0.1:{free_port()}"

    with (
        closing(TypingIndicator(credentials, api_base_url=nowhere)) as indicator,
        pytest.raises(TypingNotShown, match="ConnectError") as caught,
    ):
        indicator.show(a_message(account))

    assert (caught.value.is_refusal, caught.value.pause_s) == (False, 0.0)
    assert account.auth_token not in str(caught.value)


def a_message(account: Account) -> InboundMessage:
    sender = "whatsapp:+5511900000001"
    return read(message_parameters("Oi", sender=sender, to=ADDRESS, account_sid=account.sid))
