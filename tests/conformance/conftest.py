"""The engines under test, and what every test of them may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Actor, Worker
from dramatiq.middleware import default_middleware

from brokers.backend import EVERYTHING, QueueBackend
from brokers.durable import DurableBroker
from brokers.errors import Unsupported
from tests.support.engines import ENGINES, Engine
from tests.support.remote import Remote

OpenBackend = Callable[..., QueueBackend]
Spawn = Callable[..., Remote]


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty store of each engine in turn that can do what the test is about."""
    kind = ENGINES[request.param]
    needed = {name for mark in request.node.iter_markers("needs") for name in mark.args}
    if missing := sorted(name for name in needed if not getattr(kind.CAPABILITIES, name)):
        pytest.skip(f"{request.param} says that it lacks: {', '.join(missing)}")
    with kind.create(tmp_path) as engine:
        yield engine


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Skip a test, with the engine's own words, that asks for what the engine says it cannot do.

    This is for engines that lack something: from one of Recado's own, `Unsupported` is a failure.
    """
    try:
        return (yield)
    except Unsupported as refusal:
        engine = getattr(pyfuncitem, "funcargs", {}).get("engine")
        if engine is None or engine.CAPABILITIES == EVERYTHING:
            raise
        pytest.skip(f"the engine says that it cannot: {refusal}")


@pytest.fixture
def open_backend(engine: Engine) -> Iterator[OpenBackend]:
    """Opens one more backend on the store."""
    with ExitStack() as stack:

        def open_one(**options: Any) -> QueueBackend:
            return stack.enter_context(closing(engine.open(**options)))

        yield open_one


@pytest.fixture
def backend(open_backend: OpenBackend) -> QueueBackend:
    return open_backend()


@pytest.fixture
def spawn(engine: Engine) -> Iterator[Spawn]:
    """Starts one more process with a backend on the store."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Remote(engine, **options))


@pytest.fixture
def broker(engine: Engine) -> Iterator[DurableBroker]:
    """A broker with Dramatiq's stock middleware."""
    with closing(engine.broker(middleware=[kind() for kind in default_middleware])) as broker:
        yield broker


def declare(broker: DurableBroker, function: Callable[..., Any], **options: Any) -> Actor[..., Any]:
    """Make an actor of a function that is not written for it."""
    declared: Actor[..., Any] = dramatiq.actor(broker=broker, **options)(function)
    return declared


@contextmanager
def working(broker: DurableBroker, *, threads: int = 2) -> Iterator[Worker]:
    """While inside, a worker runs the broker's messages."""
    worker = Worker(broker, worker_timeout=50, worker_threads=threads)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


@pytest.fixture
def worker(broker: DurableBroker) -> Iterator[Worker]:
    with working(broker) as worker:
        yield worker
