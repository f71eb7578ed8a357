"""Typing indicators hold nothing up, and are left out where the channel refuses or hangs."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import REGISTRY

from actors.channels import InboundMessage, TypingNotShown
from actors.typing_indicators import MOST_AT_ONCE, TypingIndicators
from tests.support.conversations import inbound
from tests.support.waiting import eventually
from tests.unit.actors.conftest import ScriptedChannel


class TypingChannel(ScriptedChannel):
    """Does what the test says when it is to show one."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.failure = error
        self.asked: list[str] = []
        self.may_end = threading.Event()

    def can_show_typing(self, message: InboundMessage) -> bool:  # noqa: ARG002
        return True

    def show_typing(self, message: InboundMessage) -> None:
        self.asked.append(message.account)
        self.may_end.wait(20)
        if self.failure is not None:
            raise self.failure


class Clock:
    """Seconds, as the test wants them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("recado_typing_indicators_total", {"outcome": outcome}) or 0


def test_its_caller_does_not_wait_and_those_beyond_a_bound_are_left_out() -> None:
    channel, indicators = TypingChannel(), TypingIndicators()
    shown, left_out = counted("shown"), counted("left_out")
    for asked in range(1, MOST_AT_ONCE + 1):
        indicators.show(channel, inbound())
        eventually(lambda asked=asked: len(channel.asked) == asked)  # type: ignore[misc]
    assert counted("shown") == shown, "none of them has ended"

    indicators.show(channel, inbound())
    assert counted("left_out") == left_out + 1
    channel.may_end.set()

    eventually(lambda: counted("shown") == shown + MOST_AT_ONCE)
    assert len(channel.asked) == MOST_AT_ONCE


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TypingNotShown("no", is_refusal=True), "refused"),
        (TypingNotShown("no answer"), "failed"),
        (ValueError("a bug"), "failed"),
    ],
)
def test_a_failure_is_counted_and_the_next_is_asked_for(error: Exception, outcome: str) -> None:
    channel, indicators = TypingChannel(error), TypingIndicators()
    channel.may_end.set()
    before = counted(outcome)
    for number in (1, 2):
        indicators.show(channel, inbound())
        eventually(lambda number=number: counted(outcome) == before + number)  # type: ignore[misc]

    assert len(channel.asked) == 2


def test_a_refusal_for_a_while_concerns_the_account_alone() -> None:
    clock = Clock()
    channel = TypingChannel(TypingNotShown("the account cannot", is_refusal=True, pause_s=60.0))
    indicators = TypingIndicators(clock=clock)
    channel.may_end.set()
    ours, theirs = inbound(), inbound(AccountSid="AC" + "9" * 32)
    before = counted("refused")
    indicators.show(channel, ours)
    eventually(lambda: counted("refused") == before + 1)

    indicators.show(channel, ours)
    indicators.show(channel, theirs)
    eventually(lambda: counted("refused") == before + 2)
    clock.now = 60.0
    indicators.show(channel, ours)
    eventually(lambda: counted("refused") == before + 3)

    assert channel.asked == [ours.account, theirs.account, ours.account]


def test_a_channel_without_any_is_not_asked() -> None:
    before = counted("left_out")
    TypingIndicators().show(ScriptedChannel(), inbound())

    assert counted("left_out") == before
