"""Unique messages: a key is one message for a while, done or not."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dramatiq import Actor, Worker

from brokers.durable import DurableBroker

from .conftest import declare


def remind(name: str) -> None:
    """Does nothing."""


@pytest.fixture
def reminder(broker: DurableBroker) -> Actor[..., Any]:
    return declare(broker, remind, unique_for=60_000)


def test_a_known_key_returns_the_message_that_has_it(reminder: Actor[..., Any]) -> None:
    first = reminder.send_with_options(args=("Ana",), unique_key="daily")
    second = reminder.send_with_options(args=("Bia",), unique_key="daily")

    assert (second.message_id, second.args) == (first.message_id, ("Ana",))


def test_it_is_stored_once_whoever_comes_first(reminder: Actor[..., Any], broker: DurableBroker) -> None:
    with ThreadPoolExecutor(8) as pool:
        sent = list(
            pool.map(lambda n: reminder.send_with_options(args=(str(n),), unique_key="daily"), range(40))
        )

    assert len({message.message_id for message in sent}) == 1
    assert [stats.ready for stats in broker.backend.stats()] == [1]


def test_other_keys_and_no_keys_are_others(reminder: Actor[..., Any], broker: DurableBroker) -> None:
    other = declare(broker, remind, actor_name="other", unique_for=60_000)
    reminder.send_with_options(args=("Ana",), unique_key="daily")
    reminder.send_with_options(args=("Ana",), unique_key="weekly")
    other.send_with_options(args=("Ana",), unique_key="daily")
    reminder.send("Ana")

    assert [stats.ready for stats in broker.backend.stats()] == [4]


def test_the_key_stays_taken_when_its_message_is_done(
    reminder: Actor[..., Any], broker: DurableBroker, worker: Worker
) -> None:
    first = reminder.send_with_options(args=("Ana",), unique_key="daily")
    broker.join("default", timeout=20_000)

    again = reminder.send_with_options(args=("Ana",), unique_key="daily")
    assert again.message_id == first.message_id
    assert [stats.ready for stats in broker.backend.stats()] == [0]


def test_the_key_is_free_again_after_its_time(broker: DurableBroker, reminder: Actor[..., Any]) -> None:
    first = reminder.send_with_options(args=("Ana",), unique_key="daily", unique_for=1)
    while (again := reminder.send_with_options(args=("Ana",), unique_key="daily")) == first:
        pass

    assert again.message_id != first.message_id
    assert [stats.ready for stats in broker.backend.stats()] == [2]


def test_an_event_loop_is_told_too(broker: DurableBroker, reminder: Actor[..., Any]) -> None:
    first = reminder.send_with_options(args=("Ana",), unique_key="daily")
    again = reminder.message_with_options(args=("Bia",), unique_key="daily")

    assert asyncio.run(broker.enqueue_async(again)).message_id == first.message_id


def test_a_key_without_a_time_is_refused(broker: DurableBroker) -> None:
    careless = declare(broker, remind)

    with pytest.raises(ValueError, match="unique_for"):
        careless.send_with_options(args=("Ana",), unique_key="daily")
