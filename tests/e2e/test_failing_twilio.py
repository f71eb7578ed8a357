"""A Twilio that fails in every way: each reply ends in the right state, and no customer gets one twice.

All of it happens at once, in one Recado, to one customer for each way. What is to come of it is in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from actors.conversations import ThreadEntry
from actors.keys import ConversationKey
from actors.reply import ReplyState
from tests.fakes.twilio import Account, Answer, FakeTwilio, Gate
from tests.support.system import ADDRESS, System
from tests.support.waiting import eventually

from .conftest import Settings

#: A status, and Twilio's error.
Callback = tuple[str, int | None]


@dataclass(frozen=True)
class Way:
    """A way in which Twilio fails, and what is to come of it.

    Attributes:
      name: what happens.
      answer: has the account answer so when a reply to `to` is sent.
      callbacks: what Twilio tells of the message that it accepted, in the order in which it tells it.
      is_late: it tells that when Recado has given up.
      is_early: it tells that before it answers the sending.
      accepted: how many messages Twilio takes.
      state: the reply's in the end.
      delivery: the reply's delivery status in the end.
      asks: the actor of the dead letter by which a person is asked; `attention` where there is only that.
    """

    name: str
    answer: Callable[..., object] | None = None
    callbacks: tuple[Callback, ...] = ()
    is_late: bool = False
    is_early: bool = False
    accepted: int = 1
    state: ReplyState = "sent"
    delivery: str | None = None
    asks: str | None = None


def how(method: Callable[..., object], *arguments: Any, **options: Any) -> Callable[..., object]:
    """Call a method of the account, for one contact."""

    def answer(account: Account, to: str) -> object:
        return method(account, *arguments, to=to, **options)

    return answer


LIMITED = partial(how, Account.refuse, 429, 20429)
REFUSED = partial(how, Account.refuse, 400)
UNLISTED = Answer(500, 20500, lists=False)

WAYS = (
    # Certainly not sent, and worth another try.
    Way("429 once, with a time", LIMITED(retry_after="1")),
    Way("429 twice, without a time", LIMITED(times=2)),
    Way("429 for ever", LIMITED(times=9, retry_after="0"), accepted=0, state="failed", asks="send_reply"),
    Way("refused with 63018 once", REFUSED(63018)),
    # Certainly not sent, for good.
    Way("refused with 21211", REFUSED(21211), accepted=0, state="failed", asks="send_reply"),
    Way("refused with 63016", REFUSED(63016), accepted=0, state="failed", asks="send_reply"),
    Way("refused with 21610", REFUSED(21610), accepted=0, state="failed"),
    # Perhaps sent: looked for, and found.
    Way("500 after accepting", how(Account.fail, stores=True)),
    Way("503 after accepting", how(Account.fail, 503, stores=True)),
    Way("no answer after accepting", how(Account.withhold, stores=True)),
    Way("reset after accepting", how(Account.drop, stores=True)),
    # Perhaps sent: looked for, and not found. A person decides.
    Way(
        "500 before accepting",
        how(Account.fail, stores=False),
        accepted=0,
        state="unknown",
        asks="reconcile_reply",
    ),
    Way(
        "no answer, and nothing accepted",
        how(Account.withhold, stores=False),
        accepted=0,
        state="unknown",
        asks="reconcile_reply",
    ),
    Way(
        "reset before accepting",
        how(Account.drop, stores=False),
        accepted=0,
        state="unknown",
        asks="reconcile_reply",
    ),
    Way(
        "500, accepted and never listed",
        how(Account.answer, UNLISTED),
        state="unknown",
        asks="reconcile_reply",
    ),
    # ... and a callback tells it all the same.
    Way(
        "500, never listed, and a callback",
        how(Account.answer, UNLISTED),
        callbacks=(("delivered", None),),
        delivery="delivered",
    ),
    Way(
        "500, never listed, and a late callback",
        how(Account.answer, UNLISTED),
        callbacks=(("delivered", None),),
        is_late=True,
        delivery="delivered",
        asks="reconcile_reply",
    ),
    # Accepted, and what became of it.
    Way("callbacks lost"),
    Way(
        "a callback before the answer",
        how(Account.withhold, stores=True),
        callbacks=(("delivered", None),),
        is_early=True,
        delivery="delivered",
    ),
    Way("callbacks repeated", callbacks=(("sent", None), *[("delivered", None)] * 3), delivery="delivered"),
    Way(
        "callbacks out of order",
        callbacks=(("read", None), ("delivered", None), ("sent", None), ("queued", None)),
        delivery="read",
    ),
    Way(
        "a late callback",
        callbacks=(("delivered", None),),
        is_late=True,
        delivery="delivered",
    ),
    Way(
        "30007 by callback",
        callbacks=(("sent", None), ("undelivered", 30007)),
        state="undelivered",
        delivery="undelivered",
        asks="attention",
    ),
    Way(
        "63016 by callback, twice",
        callbacks=(("failed", 63016), ("failed", 63016)),
        state="undelivered",
        delivery="failed",
        asks="attention",
    ),
    Way(
        "21610 by callback", callbacks=(("undelivered", 21610),), state="undelivered", delivery="undelivered"
    ),
    # The first message did not reach the customer, so the second is no repetition.
    Way("63018 by callback, twice", callbacks=(("undelivered", 63018),) * 2, accepted=2),
    Way("30001 by a late callback", callbacks=(("failed", 30001),), is_late=True, accepted=2),
)

OPTED_OUT = ("refused with 21610", "21610 by callback")


@dataclass(frozen=True)
class Story:
    """What came of it all.

    Attributes:
      system: where it happened.
      contacts: the customer to whom each way happened, by its name.
    """

    system: System
    contacts: dict[str, str]

    def key(self, way: Way) -> str:
        return str(ConversationKey(self.system.twilio.sid, ADDRESS, self.contacts[way.name]))

    def reply(self, way: Way) -> ThreadEntry:
        """The only reply to a way's customer."""
        thread = self.system.conversations.reader.thread(self.key(way))
        [reply] = [entry for entry in thread if entry.author == "us"]
        return reply

    def has_heard(self, way: Way) -> bool:
        """Tell whether the reply to a way's customer has its last delivery status."""
        return self.reply(way).delivery_status == way.delivery

    def report(self, way: Way) -> None:
        """Have Twilio tell what became of the first message of a way."""
        contact = self.contacts[way.name]
        message = eventually(lambda: self.system.twilio.sent_to(contact))[0]
        for status, code in way.callbacks:
            told = self.system.twilio.report(message, status, through=self.system.url, error_code=code)
            assert told.status_code == 200


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio, engine: Settings) -> Iterator[Story]:
    """Has all of it happen."""
    settings = {"MESSAGE_MAX_RETRIES": "3", "TWILIO_TIMEOUT_S": "2"}
    with System(tmp_path_factory.mktemp("failing"), twilio, **settings, **engine) as system:
        system.api()
        system.worker("--module", "tests.e2e.impatience")
        story = Story(system, {way.name: system.contact() for way in WAYS})
        gates: dict[str, object] = {}
        for way in WAYS:
            contact = story.contacts[way.name]
            if way.answer is not None:
                gates[way.name] = way.answer(system.twilio, to=contact)
            system.write(way.name, sender=contact)
        for way in WAYS:
            if way.callbacks and not way.is_late:
                story.report(way)
            gate = gates.get(way.name)
            if way.is_early and isinstance(gate, Gate):
                eventually(partial(story.has_heard, way))
                gate.open()
        system.settle()
        for way in WAYS:
            if way.is_late:
                story.report(way)
        system.settle()
        yield story


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_each_reply_ends_in_the_right_state_and_is_sent_once(story: Story, way: Way) -> None:
    contact, reply = story.contacts[way.name], story.reply(way)

    assert story.system.twilio.bodies_to(contact) == [reply.text] * way.accepted
    assert (reply.state, reply.delivery_status) == (way.state, way.delivery)
    sids = [message.sid for message in story.system.twilio.sent_to(contact)]
    assert reply.external_id in ([None] if way.state == "unknown" or not sids else sids[-1:])


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_person_is_asked_about_what_a_customer_may_not_have_got(story: Story, way: Way) -> None:
    reply = story.reply(way)

    letters = story.system.dead_letters()
    asking = [letter.actor for letter in letters if str(reply.reply_id).encode() in letter.payload]
    shown = [entry.entry_id for entry in story.system.conversations.reader.attention(limit=100)]
    assert asking == ([] if way.asks in {None, "attention"} else [way.asks])
    assert (reply.reply_id in shown) == (way.asks is not None and way.state != "sent")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_nobody_who_opted_out_is_written_to_again(story: Story, way: Way) -> None:
    mode = story.system.conversations.mode(story.key(way))

    assert mode == ("nobody" if way.name in OPTED_OUT else "assistant")
