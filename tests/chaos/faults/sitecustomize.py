"""Builds a fault into Recado when Python starts, by the name in JUDGE_FAULT: the judge has to find each.

This folder is put on PYTHONPATH of the processes under judgement. Nothing of the product knows of it.
"""

from __future__ import annotations

import asyncio
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any


def answers_before_storing(webhooks: Any) -> None:
    """Twilio has its 200 a second before the message is stored."""
    store = webhooks._store
    tasks = set()

    async def later(*arguments: Any) -> None:
        await asyncio.sleep(1)
        await store(*arguments)

    async def begin(*arguments: Any) -> None:
        tasks.add(asyncio.create_task(later(*arguments)))

    webhooks._store = begin


def swallows_an_error(replies: Any) -> None:
    """A message whose model failed is taken for one that is done."""
    from actors.responders import ResponderUnavailable

    answer = replies.process_ai_response.fn

    def swallowing(*arguments: Any, **named: Any) -> None:
        with suppress(ResponderUnavailable):
            answer(*arguments, **named)

    replies.process_ai_response.fn = swallowing


def sends_again_without_looking(rest: Any) -> None:
    """A reply that Twilio perhaps has is sent once more."""
    send = rest.TwilioChannel.send

    def sending(channel: Any, reply: Any) -> Any:
        try:
            return send(channel, reply)
        except rest.PerhapsSent:
            return send(channel, reply)

    rest.TwilioChannel.send = sending


def hides_dead_letters(backend: Any) -> None:
    """No dead letter is ever shown."""
    backend.SQLiteBackend.dead_letters = lambda *_, **__: []


def hides_attention(reader: Any) -> None:
    """Nothing ever needs a person."""
    reader.SQLiteConversationReader.attention = lambda *_, **__: []


def forgets_what_people_write(people: Any) -> None:
    """A person's text is accepted, and not written down."""
    people.say_by_hand.fn = lambda *_, **__: None


def forgets_deliveries(deliveries: Any) -> None:
    """A status callback is taken, and comes to nothing."""
    deliveries.record_delivery_status.fn = lambda *_, **__: None


def is_always_ready(checks: Any) -> None:
    """/readyz says that the stores beside the queue are well, whatever they are."""
    checks.Checks.troubles = lambda _: {}


#: Which module each fault changes, after it was imported.
FAULTS: dict[str, Sequence[tuple[str, Callable[[Any], None]]]] = {
    "answers_before_storing": [("api.webhooks", answers_before_storing)],
    "swallows_an_error": [("actors.replies", swallows_an_error)],
    "sends_again_without_looking": [("actors.channels.twilio.rest", sends_again_without_looking)],
    "hides_failures": [
        ("brokers.sqlite.backend", hides_dead_letters),
        ("actors.conversations.sqlite_reader", hides_attention),
    ],
    "forgets_what_people_write": [("actors.people", forgets_what_people_write)],
    "forgets_deliveries": [("actors.delivery_status", forgets_deliveries)],
    "is_always_ready": [("brokers.checks", is_always_ready)],
}


class _Changing(importlib.abc.MetaPathFinder):
    """Finds the modules that are to be changed, and changes them once they were run."""

    def __init__(self, changes: Sequence[tuple[str, Callable[[Any], None]]]) -> None:
        self._changes = dict(changes)

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        change = self._changes.get(name)
        spec = None if change is None else importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None or change is None:
            return None
        run: Callable[[ModuleType], None] = spec.loader.exec_module

        def run_and_change(module: ModuleType) -> None:
            run(module)
            change(module)

        spec.loader.exec_module = run_and_change  # type: ignore[method-assign]
        return spec


if fault := os.environ.get("JUDGE_FAULT"):
    sys.meta_path.insert(0, _Changing(FAULTS[fault]))
