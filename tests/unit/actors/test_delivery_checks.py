"""What a round of asking about deliveries does, and what ends it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from actors.channels.twilio.credentials import Credentials
from actors.channels.twilio.rest import TwilioChannel
from actors.conversations import ConversationStore, SQLiteConversationStore
from actors.delivery_checks import DAY_MS, EVERY_S, MOST_A_ROUND, check_deliveries, every_s, looks_ms
from actors.delivery_status import record_delivery_status
from brokers import SQLiteBroker
from tests.fakes.twilio import Account, FakeTwilio, Message
from tests.support.conversations import ADDRESS, CONTACT, answered, inbound

AFTER_S = 900.0


class Clock:
    """Milliseconds since the epoch, as the test wants them."""

    now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


class Round:
    """A store, a channel and a queue, and what a worker does with them."""

    def __init__(self, directory: Path, twilio: FakeTwilio, account: Account) -> None:
        self.clock = Clock()
        self.account = account
        self.store: ConversationStore = SQLiteConversationStore(
            directory / "conversations.db", clock=self.clock
        )
        self.broker = SQLiteBroker(directory / "queue.db", middleware=[])
        self.broker.declare_queue("replies")
        self.broker.declare_actor(record_delivery_status)
        self.channel = TwilioChannel(
            credentials=Credentials(account.sid, account.sid, account.auth_token),
            status_callback_url="https://recado.example.com/status",
            api_base_url=twilio.url,
            timeout_s=2.0,
        )
        self.pauses: list[float] = []

    def sent(self, status: str = "sent", *, error_code: int | None = None) -> tuple[str, Message]:
        """A reply that Twilio accepted, and what became of it there without a word to us."""
        reply_id = answered(self.store).reply_id
        message = Message(self.account.sid, CONTACT, ADDRESS, "Olá!", None)
        message.status, message.error_code = status, error_code
        self.account.messages.append(message)
        self.store.begin_sending(reply_id)
        self.store.record_sent(reply_id, message.sid, segments=1)
        return reply_id, message

    def run(self, *, after_s: float = AFTER_S, is_stopping: Callable[[float], bool] | None = None) -> None:
        self.clock.now += 1_000 * int(EVERY_S)
        check_deliveries(
            self.store.delivery_checks,
            {"twilio": self.channel},
            self.broker,
            after_s=after_s,
            is_stopping=is_stopping or self._pause,
        )

    def later(self) -> None:
        """The first look is due."""
        self.clock.now += int(1_000 * AFTER_S)

    def queued(self) -> list[dict[str, str]]:
        """The payloads that are to be recorded."""
        return [
            json.loads(message.payload)["args"][0] for message in self.broker.backend.list("replies", "ready")
        ]

    def _pause(self, pause_s: float) -> bool:
        self.pauses.append(pause_s)
        return False


@pytest.fixture
def account(twilio: FakeTwilio) -> Account:
    return twilio.account(inbound().account)


@pytest.fixture
def round_(tmp_path: Path, twilio: FakeTwilio, account: Account) -> Iterator[Round]:
    made = Round(tmp_path, twilio, account)
    with closing(made.store), closing(made.broker):
        yield made


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("recado_delivery_checks_total", {"outcome": outcome}) or 0


def test_what_moved_on_is_recorded_as_if_a_callback_had_told(round_: Round) -> None:
    _, message = round_.sent("undelivered", error_code=30008)
    before = counted("moved")
    round_.later()
    round_.run()

    [payload] = round_.queued()
    assert (payload["MessageSid"], payload["MessageStatus"], payload["ErrorCode"]) == (
        message.sid,
        "undelivered",
        "30008",
    )
    assert (payload["To"], payload["From"], payload["AccountSid"]) == (CONTACT, ADDRESS, round_.account.sid)
    assert counted("moved") == before + 1
    status = round_.channel.read_status(payload)
    assert (status.is_failure, status.is_final) == (True, True)


def test_what_did_not_move_is_not_recorded_and_asked_about_a_few_times(round_: Round) -> None:
    reply_id, message = round_.sent("sent")
    round_.store.record_delivery(
        reply_id,
        round_.channel.read_status({"MessageSid": message.sid, "MessageStatus": "sent", "To": CONTACT}),
    )
    for _ in range(200):
        round_.clock.now += 600_000
        round_.run()

    assert round_.queued() == []
    assert round_.account.fetched == [message.sid] * 5


def test_a_message_that_is_gone_is_not_asked_about_again(round_: Round) -> None:
    _, message = round_.sent()
    round_.account.messages.remove(message)
    for _ in range(3):
        round_.later()
        round_.run()

    assert round_.account.fetched == [message.sid]
    assert round_.queued() == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_at_twilio_ends_the_round_and_the_next_goes_on(round_: Round, status: int) -> None:
    messages = [round_.sent("delivered")[1] for _ in range(3)]
    round_.account.refuse_fetch(status)
    round_.later()
    round_.run()
    assert len(round_.account.fetched) == 1
    assert round_.queued() == []

    for _ in range(6):
        round_.run()

    assert sorted(payload["MessageSid"] for payload in round_.queued()) == sorted(
        message.sid for message in messages
    )


def test_twilio_says_when_it_wants_to_be_asked(round_: Round) -> None:
    _, message = round_.sent("delivered")
    round_.account.refuse_fetch(429, retry_after="1200")
    round_.later()
    round_.run()
    for _ in range(15):
        round_.run()
    assert round_.account.fetched == [message.sid]
    for _ in range(6):
        round_.run()

    assert round_.account.fetched == [message.sid] * 2


def test_a_refusal_concerns_one_reply(round_: Round) -> None:
    for _ in range(2):
        round_.sent("delivered")
    round_.account.refuse_fetch(403)
    round_.later()
    round_.run()

    assert len(round_.account.fetched) == 2
    assert len(round_.queued()) == 1


def test_a_round_is_bounded_and_paced(round_: Round) -> None:
    for _ in range(MOST_A_ROUND + 1):
        round_.sent("delivered")
    round_.later()
    round_.run()

    assert len(round_.account.fetched) == len(round_.pauses) == MOST_A_ROUND
    round_.run()
    assert len(round_.account.fetched) == MOST_A_ROUND + 1


def test_a_worker_that_stops_ends_its_round(round_: Round) -> None:
    for _ in range(2):
        round_.sent("delivered")
    round_.later()
    round_.run(is_stopping=lambda _: True)

    assert len(round_.account.fetched) == 1


def test_a_channel_that_cannot_be_asked_is_not(round_: Round) -> None:
    round_.sent("delivered")
    round_.channel = object()  # type: ignore[assignment]
    round_.later()
    round_.run()

    assert round_.store.delivery_checks.take(looks_ms(AFTER_S)) is None


def test_nothing_is_asked_where_the_setting_says_so(round_: Round) -> None:
    round_.sent("delivered")
    round_.later()
    round_.run(after_s=0)

    assert round_.account.fetched == []


def test_looks_come_later_and_later_and_within_a_day() -> None:
    hour_ms = 3_600_000
    assert looks_ms(900) == [hour_ms // 4, hour_ms, 4 * hour_ms, 16 * hour_ms, DAY_MS]
    assert looks_ms(86_400) == [DAY_MS]
    assert (every_s(900), every_s(1), every_s(0)) == (EVERY_S, 1, EVERY_S)
