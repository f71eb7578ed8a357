"""What Twilio's answers, and its silence, mean for a reply."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from actors.channels import NotSentEver, NotSentYet, OtherReply, PerhapsSent
from actors.channels.twilio.credentials import Credentials
from actors.channels.twilio.errors import PACE_MS
from actors.channels.twilio.rest import Senders, TwilioChannel
from actors.reply import Content, Reply, Template
from actors.retry_after import LONGEST_MS
from brokers.clock import now_ms
from tests.fakes.twilio import Account, FakeTwilio
from tests.fuzz.answers import twilio_says
from tests.support.conversations import ADDRESS, CONTACT, CONVERSATION
from tests.support.ports import free_port

#: The account that received what the replies answer.
ACCOUNT_SID = "AC" + "1" * 32


@pytest.fixture
def account(twilio: FakeTwilio) -> Account:
    return twilio.account(ACCOUNT_SID)


@pytest.fixture
def make_sender(twilio: FakeTwilio, account: Account) -> Callable[..., TwilioChannel]:
    def make(**options: object) -> TwilioChannel:
        defaults: dict[str, object] = {
            "credentials": Credentials(account.sid, account.sid, account.auth_token),
            "status_callback_url": "https://recado.example.com/status",
            "api_base_url": twilio.url,
        }
        return TwilioChannel(**(defaults | options))  # type: ignore[arg-type]

    return make


@pytest.fixture
def sender(make_sender: Callable[..., TwilioChannel]) -> TwilioChannel:
    return make_sender()


def a_reply(body: str = "Olá!", *, sending_at: int | None = None, account: str = ACCOUNT_SID) -> Reply:
    return Reply(
        reply_id="reply-1",
        conversation=CONVERSATION,
        channel="twilio",
        account=account,
        contact=CONTACT,
        address=ADDRESS,
        body=body,
        kind="answer",
        state="sending",
        received_at=0,
        written_at=0,
        sending_at=now_ms() if sending_at is None else sending_at,
        external_id=None,
        delivery_status=None,
        error=None,
        mode="assistant",
    )


def nothing_is_known(_sid: str) -> bool:
    return False


# -- sending -------------------------------------------------------------------------------------------


def test_a_reply_is_sent_with_a_callback_that_names_it(sender: TwilioChannel, account: Account) -> None:
    sid = sender.send(a_reply("Olá & tchau 👋"))

    [message] = account.messages
    assert message.sid == sid
    assert (message.contact, message.address, message.body) == (CONTACT, ADDRESS, "Olá & tchau 👋")
    assert message.status_callback == "https://recado.example.com/status?reply=reply-1#rc=5&rp=all&rt=3000"


@pytest.mark.parametrize(
    ("retry_after", "delay_ms"),
    [("2", 2000), ("0", 0), (None, None), ("tomorrow", None), ("²", None), ("9" * 5_000, LONGEST_MS)],
)
def test_too_many_requests_means_not_sent_yet(
    sender: TwilioChannel, account: Account, retry_after: str | None, delay_ms: int | None
) -> None:
    account.refuse(429, 20429, retry_after=retry_after)

    with pytest.raises(NotSentYet, match="20429") as raised:
        sender.send(a_reply())
    assert raised.value.delay_ms == delay_ms


def test_a_delay_is_not_remembered_for_the_next_error(sender: TwilioChannel, account: Account) -> None:
    account.refuse(429, 20429, retry_after="2")
    account.refuse(429, 20429)
    with pytest.raises(NotSentYet):
        sender.send(a_reply())

    with pytest.raises(NotSentYet) as raised:
        sender.send(a_reply())
    assert raised.value.delay_ms is None


@pytest.mark.parametrize("code", [14107, 21611, 63018, 30022])
def test_a_limit_that_passes_means_not_sent_yet(sender: TwilioChannel, account: Account, code: int) -> None:
    account.refuse(400, code)

    with pytest.raises(NotSentYet, match=str(code)) as raised:
        sender.send(a_reply())
    assert raised.value.delay_ms == PACE_MS


def test_wrong_credentials_mean_not_sent_yet(make_sender: Callable[..., TwilioChannel]) -> None:
    with pytest.raises(NotSentYet, match="20003"):
        make_sender(credentials=Credentials(ACCOUNT_SID, ACCOUNT_SID, "another")).send(a_reply())


@pytest.mark.parametrize("code", [21610, 21211, 21408, 21606, 21612, 21614, 63003, 63007, 63016, 63024])
def test_a_refusal_means_not_sent_ever(sender: TwilioChannel, account: Account, code: int) -> None:
    account.refuse(400, code)

    with pytest.raises(NotSentEver, match=str(code)):
        sender.send(a_reply())


def test_a_body_that_is_too_long_means_not_sent_ever(sender: TwilioChannel) -> None:
    with pytest.raises(NotSentEver, match="21617"):
        sender.send(a_reply("a" * 1601))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("stores", [True, False])
def test_a_failure_of_twilios_own_means_perhaps_sent(
    sender: TwilioChannel, account: Account, status: int, stores: bool
) -> None:
    account.fail(status, stores=stores)

    with pytest.raises(PerhapsSent, match=str(status)):
        sender.send(a_reply())
    assert len(account.sends) == 1, "nothing beneath sends it again"


@pytest.mark.parametrize("status", [408, 409, 418, 421, 423, 424, 425, 426, 444, 460, 499])
@pytest.mark.parametrize("stores", [True, False])
@pytest.mark.parametrize("code", [20500, 21610, 20003])
def test_a_status_that_is_no_refusal_means_perhaps_sent(
    sender: TwilioChannel, account: Account, status: int, stores: bool, code: int
) -> None:
    account.fail(status, code, stores=stores)

    with pytest.raises(PerhapsSent, match=str(status)):
        sender.send(a_reply())


@pytest.mark.parametrize("status", [402, 403, 404, 405, 406, 410, 413, 414, 415, 422, 431, 451])
def test_a_status_that_is_a_refusal_means_not_sent_ever(
    sender: TwilioChannel, account: Account, status: int
) -> None:
    account.refuse(status, 20001)

    with pytest.raises(NotSentEver, match=str(status)):
        sender.send(a_reply())


@pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b"[]", b"null", b'{"sid": 1}', b"[" * 100_000])
def test_an_answer_that_cannot_be_read_means_perhaps_sent(sender: TwilioChannel, body: bytes) -> None:
    with twilio_says(201, body), pytest.raises(PerhapsSent, match="Twilio gave no answer: "):
        sender.send(a_reply())


def test_a_list_that_cannot_be_read_says_nothing_of_the_reply(sender: TwilioChannel) -> None:
    for body in (b"<html>", b"[]", b'{"messages": [1]}', b"[" * 100_000):
        with twilio_says(200, body), pytest.raises(NotSentYet, match="Twilio cannot be asked about a reply"):
            sender.find(a_reply(), is_known=nothing_is_known)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>", "error 400: Unable to create record"),
        (b'{"code": []}', "error None: Unable to create record"),
        (b'{"code": 21211, "message": "half \\ud83d"}', "error 21211: Unable to create record: half ?"),
        (b'{"type": "a", "title": "b", "status": 400, "code": 1, "errors": 1}', "TwilioServiceException"),
    ],
)
def test_a_refusal_of_any_form_means_not_sent_ever(sender: TwilioChannel, body: bytes, told: str) -> None:
    with twilio_says(400, body), pytest.raises(NotSentEver) as refused:
        sender.send(a_reply())
    assert told in str(refused.value).encode().decode()


def test_silence_means_perhaps_sent(make_sender: Callable[..., TwilioChannel], account: Account) -> None:
    gate = account.withhold()

    with pytest.raises(PerhapsSent, match="Timeout"):
        make_sender(timeout_s=0.3).send(a_reply())

    assert gate.reached.is_set()
    assert len(account.sends) == 1
    gate.open()


def test_a_connection_reset_means_perhaps_sent(sender: TwilioChannel, account: Account) -> None:
    account.drop(stores=True)

    with pytest.raises(PerhapsSent):
        sender.send(a_reply())
    assert len(account.sends) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "name.invalid"])
def test_no_connection_means_not_sent_yet(make_sender: Callable[..., TwilioChannel], host: str) -> None:
    with pytest.raises(NotSentYet):
        make_sender(api_base_url=f"http://{host}:{free_port()}").send(a_reply())


def test_errors_have_no_secrets(make_sender: Callable[..., TwilioChannel], account: Account) -> None:
    account.fail(500, stores=False)
    sender = make_sender()

    with pytest.raises(PerhapsSent) as raised:
        sender.send(a_reply())
    assert account.auth_token not in str(raised.value) + repr(sender)


# -- looking up ----------------------------------------------------------------------------------------


def test_a_reply_is_found(sender: TwilioChannel, account: Account) -> None:
    sid = sender.send(a_reply("Olá!"))
    sender.send(a_reply("another"))

    assert sender.find(a_reply("Olá!"), is_known=nothing_is_known) == sid


def test_a_reply_whose_sender_a_messaging_service_has_yet_to_choose_is_found(
    sender: TwilioChannel, account: Account
) -> None:
    sid = sender.send(a_reply())
    account.messages[0].address = None  # type: ignore[assignment]

    assert sender.find(a_reply(), is_known=nothing_is_known) == sid


def test_a_message_that_is_another_replys_is_not_taken_for_it(sender: TwilioChannel) -> None:
    sid = sender.send(a_reply())

    assert sender.find(a_reply(), is_known={sid}.__contains__) is None


@pytest.mark.parametrize(
    "change",
    [
        {"contact": "whatsapp:+5511900009999"},
        {"address": "whatsapp:+15005550009"},
        {"created_at": datetime.now(UTC) - timedelta(minutes=5)},
        {"direction": "inbound"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_message_that_differs_is_not_taken_for_it(
    sender: TwilioChannel, account: Account, change: dict[str, object]
) -> None:
    sender.send(a_reply())
    [message] = account.messages
    for name, value in change.items():
        setattr(message, name, value)

    assert sender.find(a_reply(), is_known=nothing_is_known) is None


@pytest.mark.parametrize(
    ("sent", "listed"),
    [
        ("Olá!", "Sent from your Twilio trial account - Olá!"),
        ("“Abre” às 9h – sim…", '"Abre" às 9h - sim...'),
        ("dois  espaços\n", "dois espaços"),
    ],
)
def test_a_reply_is_found_as_twilio_lists_it(
    sender: TwilioChannel, account: Account, sent: str, listed: str
) -> None:
    sid = sender.send(a_reply(sent))
    sender.send(a_reply("another"))
    account.messages[0].body = listed

    assert sender.find(a_reply(sent), is_known=nothing_is_known) == sid


def test_the_one_message_that_fits_is_the_reply_whatever_its_text(
    sender: TwilioChannel, account: Account
) -> None:
    sid = sender.send(a_reply("Olá!"))
    account.messages[0].body = "changed on its way"
    assert sender.find(a_reply("Olá!"), is_known=nothing_is_known) == sid

    sender.send(a_reply("another"))
    assert sender.find(a_reply("Olá!"), is_known=nothing_is_known) is None, "two of them might be it"


@pytest.mark.parametrize("in_flight", [True, False])
def test_a_message_with_the_text_of_another_reply_is_not_taken_for_this_one(
    sender: TwilioChannel, in_flight: bool
) -> None:
    sender.send(a_reply("another"))
    found = sender.find(
        a_reply("Olá!"), is_known=nothing_is_known, others=lambda: [OtherReply("another", in_flight)]
    )
    assert found is None, "the other one's id is just not known yet"


def test_while_another_reply_is_in_flight_a_message_of_any_text_may_be_its(
    sender: TwilioChannel, account: Account
) -> None:
    sender.send(a_reply("another"))
    account.messages[0].body = "changed on its way"
    others = [OtherReply("another", in_flight=True)]
    assert sender.find(a_reply("Olá!"), is_known=nothing_is_known, others=lambda: others) is None


def test_of_two_equal_replies_one_message_is_that_of_the_one_in_flight(sender: TwilioChannel) -> None:
    others = [OtherReply("Olá!", in_flight=True)]
    first = sender.send(a_reply("Olá!"))
    assert sender.find(a_reply("Olá!"), is_known=nothing_is_known, others=lambda: others) is None

    sender.send(a_reply("Olá!"))
    assert sender.find(a_reply("Olá!"), is_known=nothing_is_known, others=lambda: others) == first


def test_a_look_that_fails_says_nothing_of_the_reply(make_sender: Callable[..., TwilioChannel]) -> None:
    with pytest.raises(NotSentYet):
        make_sender(credentials=Credentials(ACCOUNT_SID, ACCOUNT_SID, "another")).find(
            a_reply(), is_known=nothing_is_known
        )


# -- accounts and time ---------------------------------------------------------------------------------


def test_a_reply_is_sent_under_the_subaccount_that_received(twilio: FakeTwilio, account: Account) -> None:
    theirs = twilio.account()
    channel = TwilioChannel(
        credentials=Credentials(
            account.sid, account.sid, account.auth_token, {theirs.sid: theirs.auth_token}
        ),
        status_callback_url="https://recado.example.com/status",
        api_base_url=twilio.url,
    )

    channel.send(a_reply("ours"))
    channel.send(a_reply("theirs", account=theirs.sid))

    assert [message.body for message in account.messages] == ["ours"]
    assert [message.body for message in theirs.messages] == ["theirs"]


def test_an_api_key_sends(twilio: FakeTwilio, account: Account) -> None:
    key_sid, secret = account.api_key()
    channel = TwilioChannel(
        credentials=Credentials(account.sid, key_sid, secret),
        status_callback_url="https://recado.example.com/status",
        api_base_url=twilio.url,
    )

    channel.send(a_reply("Olá!"))

    assert [message.body for message in account.messages] == ["Olá!"]


@pytest.mark.parametrize(
    ("age_s", "validity_s"), [(0, 3_600), (3_000, 600), (3_599, 60), (90_000, 3_600)], ids=str
)
def test_a_reply_leaves_twilio_before_it_is_too_old(
    sender: TwilioChannel, account: Account, age_s: int, validity_s: int
) -> None:
    sender.send(a_reply()._replace(received_at=now_ms() - 1_000 * age_s))

    assert account.messages[0].validity_s == pytest.approx(validity_s, abs=2)


# -- templates, media, senders ---------------------------------------------------------------------------

HOUR_MS = 3_600_000


def test_media_are_sent_with_the_text(sender: TwilioChannel, account: Account) -> None:
    media = ("https://example.com/um.png", "https://example.com/dois.pdf")

    sender.send(a_reply("Veja")._replace(content=Content(media)))
    sender.send(a_reply("")._replace(content=Content(media[:1])))

    assert [(each.body, each.media) for each in account.messages] == [("Veja", media), ("", media[:1])]


def test_a_template_is_sent_in_place_of_the_text(sender: TwilioChannel, account: Account) -> None:
    template = Template("HX" + "1" * 32, {"1": "Bia", "2": "10h"})

    sender.send(a_reply("Oi Bia, até as 10h")._replace(content=Content(template=template)))

    [message] = account.messages
    assert (message.body, message.content_sid) == ("", template.sid)
    assert json.loads(message.content_variables or "") == {"1": "Bia", "2": "10h"}


@pytest.mark.parametrize(("hours", "is_open"), [(23.9, True), (24.1, False)])
def test_whatsapp_takes_no_text_after_a_day(
    sender: TwilioChannel, account: Account, hours: float, is_open: bool
) -> None:
    reply = a_reply()._replace(heard_at=now_ms() - int(hours * HOUR_MS))

    if is_open:
        sender.send(reply)
    else:
        with pytest.raises(NotSentEver, match="WHATSAPP_WINDOW_TEMPLATE") as raised:
            sender.send(reply)
        assert raised.value.code == 63016
    assert len(account.sends) == is_open


def test_a_template_carries_a_text_after_a_day(
    make_sender: Callable[..., TwilioChannel], account: Account
) -> None:
    sid = "HX" + "2" * 32
    late = now_ms() - 25 * HOUR_MS

    make_sender(senders=Senders(window_template=sid)).send(a_reply("Olá!\nTudo bem?")._replace(heard_at=late))

    [message] = account.messages
    assert message.content_sid == sid
    assert json.loads(message.content_variables or "") == {"1": "Olá! Tudo bem?"}, "without a line break"


def test_an_sms_has_no_window(sender: TwilioChannel, account: Account) -> None:
    sender.send(a_reply()._replace(contact="+5511900001234", heard_at=now_ms() - 100 * HOUR_MS))

    assert len(account.messages) == 1


def test_an_address_sends_through_its_messaging_service(
    make_sender: Callable[..., TwilioChannel], account: Account
) -> None:
    service = "MG" + "3" * 32
    channel = make_sender(senders=Senders(messaging_services={ADDRESS: service}))

    channel.send(a_reply())
    channel.send(a_reply()._replace(address="whatsapp:+15005550009"))

    assert [message.messaging_service for message in account.messages] == [service, None]


def test_senders_pause_as_the_settings_say(make_sender: Callable[..., TwilioChannel]) -> None:
    channel = make_sender(senders=Senders(sms_per_second=1, whatsapp_per_second=80))
    sms = a_reply("a" * 161)._replace(contact="+5511900001234", address="+15005550006")

    assert channel.pause_after_ms(sms) == 2_000, "two segments"
    assert channel.pause_after_ms(a_reply()) == 12.5
    assert channel.is_paced
    assert make_sender().pause_after_ms(sms) == 0
    assert not make_sender().is_paced
