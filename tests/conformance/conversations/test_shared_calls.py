"""The calls of the model that all workers share: counted alike by every store, and shared by one rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from actors.conversations import ConversationStore
from actors.conversations.shared_calls import MOST_PAUSED_MS, WANTED_MS, Taking, taking
from tests.support.conversations import CONVERSATION, OpenStore, append, held, inbound

BUSY, QUIET, THIRD = "whatsapp:+15005550006", "whatsapp:+15005550007", "+15005550008"

LEASE_MS = 60_000


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


def take(store: ConversationStore, holder: str, address: str = BUSY, *, most: int = 2) -> Taking:
    return store.shared_calls.take(holder, address, most=most, lease_ms=LEASE_MS)


def test_no_more_are_taken_than_there_may_be(shop: ConversationStore) -> None:
    assert [take(shop, holder) for holder in "abc"] == ["taken", "taken", "full"]
    shop.shared_calls.end("a")
    assert take(shop, "c") == "taken"


def test_the_same_message_has_its_call_already(shop: ConversationStore) -> None:
    """Its worker died, and it was given to another one."""
    assert [take(shop, holder) for holder in "abab"] == ["taken"] * 4


def test_a_call_of_which_no_more_is_heard_ends_with_its_lease(shop: ConversationStore, clock: Clock) -> None:
    assert take(shop, "a", most=1) == "taken"
    clock.now += LEASE_MS - 1
    assert take(shop, "b", most=1) == "full"
    clock.now += 1
    assert take(shop, "b", most=1) == "taken"


def test_to_end_what_is_not_known_is_harmless(shop: ConversationStore) -> None:
    shop.shared_calls.end("nothing")
    assert take(shop, "a", most=1) == "taken"


def test_a_number_that_waits_gets_the_next_calls_until_it_has_its_share(shop: ConversationStore) -> None:
    for number in range(4):
        assert take(shop, f"busy-{number}", most=4) == "taken", "as long as no other one wants any"
    assert take(shop, "quiet-0", QUIET, most=4) == "full"
    shop.shared_calls.end("busy-0")
    assert take(shop, "busy-4", most=4) == "for_others"
    assert take(shop, "quiet-0", QUIET, most=4) == "taken"
    assert take(shop, "quiet-1", QUIET, most=4) == "full"
    shop.shared_calls.end("busy-1")
    assert take(shop, "busy-4", most=4) == "for_others", "two are its share"
    assert take(shop, "quiet-1", QUIET, most=4) == "taken"
    shop.shared_calls.end("busy-2")
    assert take(shop, "busy-4", most=4) == "taken"


def test_what_nobody_wants_any_more_is_lent_again(shop: ConversationStore, clock: Clock) -> None:
    for number in range(2):
        take(shop, f"busy-{number}")
    assert take(shop, "quiet", QUIET) == "full"
    shop.shared_calls.end("busy-0")
    assert take(shop, "busy-2") == "for_others"
    clock.now += WANTED_MS
    assert take(shop, "busy-2") == "taken"


def test_a_pause_is_told_with_each_turn_until_it_is_over(shop: ConversationStore, clock: Clock) -> None:
    append(shop, inbound())
    hold = held(shop)
    assert shop.turn(hold, history_limit=0).calls_paused_ms == 0

    shop.shared_calls.pause(5_000)
    shop.shared_calls.pause(1_000)  # another worker heard of less
    assert shop.turn(hold, history_limit=0).calls_paused_ms == 5_000
    clock.now += 4_000
    assert shop.turn(hold, history_limit=0).calls_paused_ms == 1_000
    clock.now += 1_000
    assert shop.turn(hold, history_limit=0).calls_paused_ms == 0
    assert hold.conversation == CONVERSATION


HOUR_MS = 3_600_000


def test_a_clock_that_is_set_back_holds_up_no_call(shop: ConversationStore, clock: Clock) -> None:
    """What was to end soon would last for the hour by which it was set back."""
    append(shop, inbound())
    hold = held(shop)
    assert take(shop, "a", most=1) == "taken"
    assert take(shop, "b", QUIET, most=1) == "full"
    shop.shared_calls.pause(5_000)
    clock.now -= HOUR_MS

    assert take(shop, "c", most=1) == "taken"
    assert shop.turn(hold, history_limit=0).calls_paused_ms == 0
    shop.shared_calls.pause(2_000)
    assert shop.turn(hold, history_limit=0).calls_paused_ms == 2_000


def test_no_pause_is_longer_than_the_longest(shop: ConversationStore) -> None:
    append(shop, inbound())
    hold = held(shop)
    shop.shared_calls.pause(86_400_000)
    assert shop.turn(hold, history_limit=0).calls_paused_ms == MOST_PAUSED_MS


@pytest.mark.parametrize("most", [1, 2, 3, 7, 12])
def test_no_number_starves_whatever_the_others_want(shop: ConversationStore, clock: Clock, most: int) -> None:
    """Two numbers have a crowd each, the third one message after the other. It always asks last."""
    crowds = [(f"{address}-{number}", address) for number in range(3 * most) for address in (BUSY, QUIET)]
    lone, in_flight, answered = 0, list[tuple[str, str]](), Counter[str]()
    for _ in range(9 * most):
        asking = [*crowds, (f"lone-{lone}", THIRD)]
        for holder, address in asking:
            clock.now += 1
            if (holder, address) not in in_flight and take(shop, holder, address, most=most) == "taken":
                in_flight.append((holder, address))
        assert len(in_flight) <= most
        holder, address = in_flight.pop(0)
        shop.shared_calls.end(holder)
        answered[address] += 1
        lone += address == THIRD
    one_by_one = 9 * most // (most + 4)  # the next message comes when one is answered, and waits its turn
    assert answered[THIRD] >= min(9 * most // 3, one_by_one) - 1
    assert min(answered[BUSY], answered[QUIET]) >= 9 * most // 3 - most


def test_the_rule_gives_what_is_free_when_nobody_else_waits() -> None:
    assert taking({BUSY: 9}, [], BUSY, most=10) == "taken"
    assert taking({BUSY: 9}, [BUSY], BUSY, most=10) == "taken"
    assert taking({BUSY: 9}, [QUIET], BUSY, most=10) == "for_others"
    assert taking({BUSY: 8}, [QUIET], BUSY, most=10) == "taken", "one is left for the other"
    assert taking({BUSY: 9}, [QUIET], QUIET, most=10) == "taken"
    assert taking({}, [QUIET, BUSY], BUSY, most=1) == "for_others", "it began to wait later"
    assert taking({}, [QUIET, BUSY], QUIET, most=1) == "taken"
    assert taking({BUSY: 5, QUIET: 5}, [], THIRD, most=10) == "full"
