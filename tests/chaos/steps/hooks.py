"""Stands at each point, in a process of Recado's, and does what was ordered there: once.

An order is a file in the folder that STEP_ORDERS names: its name is the point's, its text how. Of all
processes the first that takes it away obeys it. Nothing of the product knows of this.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors import answering, replies, sending
from actors.channels import ObservedTwilio
from actors.conversations import SQLiteConversationStore
from actors.conversations.redis import RedisConversationStore
from actors.responders import ObservedResponder
from brokers.errors import EngineError
from brokers.redis import RedisBackend
from brokers.sqlite import SQLiteBackend

#: The stores and the engines, which behave alike.
STORES = (SQLiteConversationStore, RedisConversationStore)
ENGINES = (SQLiteBackend, RedisBackend)

#: What an order is called once it is carried out.
DONE = ".done"


class Ordered(EngineError):
    """The failure that was ordered."""


def reach(point: str) -> None:
    """Be at a point."""
    order = Path(os.environ["STEP_ORDERS"]) / point
    taken = order.with_name(order.name + DONE)
    try:
        os.link(order, taken)  # fails for all but the first
        how = taken.read_text()
        order.unlink()
    except (FileNotFoundError, FileExistsError):
        return
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        raise Ordered(f"ordered at {point!r}")


#: Whether a call is the one that is meant, given its arguments; before them its result, where there is one.
Where = Callable[..., bool]


def _always(*_: Any, **__: Any) -> bool:
    return True


def behind(point: str, owner: Any, name: str, where: Where = _always) -> None:
    """Put a point behind a function."""
    function = inspect.getattr_static(owner, name)

    @functools.wraps(function)
    def passing(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        if where(result, *arguments, **named):
            reach(point)
        return result

    setattr(owner, name, passing)


def before(point: str, owner: Any, name: str, where: Where = _always) -> None:
    """Put a point before a function."""
    function = inspect.getattr_static(owner, name)

    @functools.wraps(function)
    def passing(*arguments: Any, **named: Any) -> Any:
        if where(*arguments, **named):
            reach(point)
        return function(*arguments, **named)

    setattr(owner, name, passing)


def around_storing(engine: Any) -> None:
    """Put points before and behind the storing of a webhook."""
    store = engine.enqueue_async

    @functools.wraps(store)
    async def storing(*arguments: Any) -> Any:
        reach("storing")
        is_new = await store(*arguments)
        reach("stored")
        return is_new

    engine.enqueue_async = storing


def _claims(queue: str) -> Where:
    return lambda deliveries, _backend, name, **_: name == queue and bool(deliveries)


def _is_of(queue: str) -> Where:
    return lambda _backend, delivery, **_: delivery.queue == queue


def _was_of(queue: str) -> Where:
    return lambda _result, _backend, delivery, **_: delivery.queue == queue


def install() -> None:
    """Put every point into this process, before it does anything."""
    for engine in ENGINES:
        around_storing(engine)
        behind("claimed", engine, "dequeue", _claims("messages"))
        behind("reply claimed", engine, "dequeue", _claims("replies"))
        before("putting back", engine, "retry", _is_of("messages"))
        behind("put back", engine, "retry", _was_of("messages"))
        before("acking", engine, "ack", _is_of("messages"))
        before("reply acking", engine, "ack", _is_of("replies"))
        before("refused", engine, "nack", _is_of("messages"))
        behind("dead", engine, "nack", _was_of("messages"))
    for store in STORES:
        behind("appended", store, "append_and_hold")
        behind("described", store, "describe")
        behind("written", store, "answer")
        behind("quarantined", store, "quarantine")
        behind("paced", store, "pace")
        behind("sending", store, "begin_sending")
        behind("recorded", store, "record_sent")
        behind("unknown", store, "record_unknown")
        behind("delivered", store, "record_delivery")
    behind("left", replies, "_hold", lambda hold, *_, **__: hold is None)
    behind("enqueued", answering, "enqueue_sending", lambda _, reply_id: reply_id is not None)
    behind("asked", ObservedResponder, "respond")
    behind("called", ObservedTwilio, "send")
    behind("looking", sending, "to_be_reconciled")
    behind("found", ObservedTwilio, "find", lambda sid, *_, **__: sid is not None)
    behind("next", sending, "enqueue_sending", lambda _, reply_id: reply_id is not None)
