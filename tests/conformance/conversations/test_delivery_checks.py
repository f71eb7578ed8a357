"""Which replies the channel is asked about: those that were sent, and of whose delivery no end is known."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from actors.conversations import ConversationStore
from actors.conversations.delivery_checks import LONGEST_OPEN_MS
from tests.support.conversations import CONVERSATION, OpenStore, answered, delivery

MINUTE_MS = 60_000
LOOKS = (15 * MINUTE_MS, 60 * MINUTE_MS, 24 * 60 * MINUTE_MS)


class Clock:
    """Milliseconds since the epoch, as the test wants them."""

    now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(open_store: OpenStore, clock: Clock) -> Iterator[ConversationStore]:
    with closing(open_store(clock=clock)) as store:
        yield store


def sent(store: ConversationStore, sid: str = "SM1") -> str:
    """A reply that the channel accepted."""
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_sent(reply_id, sid, segments=1)
    return reply_id


def take(store: ConversationStore) -> str | None:
    reply = store.delivery_checks.take(LOOKS)
    return None if reply is None else reply.reply_id


def test_a_reply_is_looked_at_so_often_and_no_more(shop: ConversationStore, clock: Clock) -> None:
    reply_id, sent_at = sent(shop), clock.now
    seen = []
    for look_ms in LOOKS:
        clock.now = sent_at + look_ms - 1
        assert take(shop) is None
        clock.now += 1
        seen += [take(shop), take(shop)]
    clock.now += 24 * 60 * MINUTE_MS

    assert seen == [reply_id, None] * 3
    assert take(shop) is None


def test_the_one_that_waited_longest_comes_first(shop: ConversationStore, clock: Clock) -> None:
    replies = []
    for number in range(3):
        replies.append(sent(shop, f"SM{number}"))
        clock.now += 1_000
    clock.now += LOOKS[0]

    assert [take(shop) for _ in range(4)] == [*replies, None]


@pytest.mark.parametrize("status", ["delivered", "read", "undelivered", "failed", "canceled"])
def test_a_final_status_is_not_asked_for(shop: ConversationStore, clock: Clock, status: str) -> None:
    shop.record_delivery(sent(shop), delivery(status))
    clock.now += LOOKS[0]

    assert take(shop) is None


def test_a_status_that_is_not_final_is(shop: ConversationStore, clock: Clock) -> None:
    reply_id = sent(shop)
    shop.record_delivery(reply_id, delivery("sent"))
    clock.now += LOOKS[0]

    assert take(shop) == reply_id


def test_a_callback_that_proves_a_sending_opens_it(shop: ConversationStore, clock: Clock) -> None:
    reply_id = answered(shop).reply_id
    shop.begin_sending(reply_id)
    shop.record_unknown(reply_id, "no answer")
    clock.now += LOOKS[0]
    assert take(shop) is None, "it has no id of the channel's"

    shop.record_delivery(reply_id, delivery("queued"))
    shop.record_sent(reply_id, "SM1", segments=1)  # the call's own answer comes late
    clock.now += LOOKS[0]

    assert take(shop) == reply_id


def test_a_reply_that_is_sent_again_is_looked_at_anew(shop: ConversationStore, clock: Clock) -> None:
    reply_id = sent(shop)
    clock.now += LOOKS[0]
    assert take(shop) == reply_id
    shop.record_delivery(reply_id, delivery("undelivered", code="30022"))
    shop.record_not_sent(reply_id, "the carrier's rate", final=False)
    clock.now += LOOKS[1]
    assert take(shop) is None
    shop.begin_sending(reply_id)
    shop.record_sent(reply_id, "SM2", segments=1)
    assert take(shop) is None
    clock.now += LOOKS[0]

    assert take(shop) == reply_id


def test_what_was_put_back_comes_again(shop: ConversationStore, clock: Clock) -> None:
    reply_id, sent_at = sent(shop), clock.now
    clock.now += LOOKS[0]
    assert take(shop) == reply_id
    shop.delivery_checks.put_back(reply_id, LOOKS, delay_ms=5 * MINUTE_MS)
    assert take(shop) is None
    clock.now += 5 * MINUTE_MS
    assert take(shop) == reply_id, "the same look"
    for look_ms in LOOKS[1:]:
        clock.now = sent_at + look_ms
        assert take(shop) == reply_id
    shop.delivery_checks.put_back(reply_id, LOOKS, delay_ms=5 * MINUTE_MS)
    clock.now += 5 * MINUTE_MS
    assert take(shop) == reply_id
    shop.delivery_checks.put_back(reply_id, LOOKS, delay_ms=5 * MINUTE_MS)
    clock.now += 5 * MINUTE_MS
    assert take(shop) is None, "it was sent more than a day ago"


def test_looks_that_are_over_are_left_out(shop: ConversationStore, clock: Clock) -> None:
    """No worker lived for a while."""
    reply_id, sent_at = sent(shop), clock.now
    clock.now += LOOKS[1] + 1
    assert [take(shop), take(shop)] == [reply_id, None]
    clock.now = sent_at + LOOKS[2]

    assert [take(shop), take(shop)] == [reply_id, None]


def test_what_is_closed_comes_no_more(shop: ConversationStore, clock: Clock) -> None:
    shop.delivery_checks.close(sent(shop))
    clock.now += LOOKS[0]

    assert take(shop) is None


def test_what_is_erased_comes_no_more(shop: ConversationStore, clock: Clock) -> None:
    sent(shop)
    shop.keeper.erase(CONVERSATION)
    clock.now += LOOKS[0]

    assert take(shop) is None


def test_what_nobody_asked_about_in_time_is_passed_over(shop: ConversationStore, clock: Clock) -> None:
    sent(shop, "SM1")
    clock.now += LONGEST_OPEN_MS + LOOKS[0]
    later = sent(shop, "SM2")
    clock.now += LOOKS[0]

    assert [take(shop), take(shop)] == [later, None]


def test_two_that_take_at_once_take_each_once(open_store: OpenStore, clock: Clock) -> None:
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store(clock=clock))) for _ in range(3)]
        replies = [sent(stores[0], f"SM{number}") for number in range(20)]
        clock.now += LOOKS[0]
        with ThreadPoolExecutor(max_workers=9) as pool:
            taken = list(pool.map(lambda number: take(stores[number % 3]), range(30)))

    assert sorted(filter(None, taken)) == sorted(replies)


def test_one_process_begins_in_so_many_milliseconds(open_store: OpenStore) -> None:
    with closing(open_store()) as one, closing(open_store()) as another:
        assert one.delivery_checks.begin(every_ms=3_600_000)
        assert not another.delivery_checks.begin(every_ms=3_600_000)
        assert not one.delivery_checks.begin(every_ms=3_600_000)


def test_another_may_begin_when_they_are_over(open_store: OpenStore) -> None:
    with closing(open_store()) as one, closing(open_store()) as another:
        assert one.delivery_checks.begin(every_ms=1)
        deadline = 2_000
        while not another.delivery_checks.begin(every_ms=60_000) and deadline:
            deadline -= 1

        assert deadline
