"""I9: an engine that is away says so in Dramatiq's own words, and all goes on when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from dramatiq.errors import BrokerConnectionError

from brokers.backend import QueueBackend
from brokers.records import Delivery
from tests.support.engines import ENGINES, Engine
from tests.support.messages import QUEUE, a_message, claimed, found, stats_of, stored
from tests.support.remote import Remote
from tests.support.waiting import eventually

from .conftest import Spawn

pytestmark = pytest.mark.starts_processes


Case = tuple[type[Engine], str]
CASES = [
    pytest.param((kind, outage), id=f"{name}-{outage}")
    for name, kind in ENGINES.items()
    for outage in kind.OUTAGES
]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """An engine, and one way for it to be away."""
    case: Case = request.param
    return case


@pytest.fixture
def engine(case: Case, tmp_path: Path) -> Iterator[Engine]:
    with case[0].create(tmp_path) as engine:
        yield engine


@pytest.fixture
def child(spawn: Spawn) -> Remote:
    """A process of its own, whose engine can be taken away without hurting this one."""
    child = spawn()
    stored(child.backend, queue="warm")
    claimed(child.backend, "warm")
    return child


Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def away(case: Case, engine: Engine, child: Remote) -> Away:
    """While inside, the child's engine is away."""
    return away_from(child, case, engine)


def away_from(child: Remote, case: Case, engine: Engine) -> Away:
    @contextmanager
    def away() -> Iterator[None]:
        child.run(partial(_begin, engine, case[1]))
        yield
        child.run(_end)

    return away


_outage = ExitStack()  # the child's


def _begin(engine: Engine, outage: str, _: QueueBackend) -> None:
    _outage.enter_context(engine.OUTAGES[outage](engine))


def _end(_: QueueBackend) -> None:
    _outage.close()


def test_a_failed_enqueue_is_told_and_the_next_one_works(child: Remote, away: Away) -> None:
    message = a_message()
    with away(), pytest.raises(BrokerConnectionError):
        child.backend.enqueue(message)

    child.backend.enqueue(message)  # False where it was stored after all; it is there in any case
    assert claimed(child.backend).message_id == message.message_id


def test_a_failed_claim_loses_no_message(child: Remote, away: Away) -> None:
    message_id = stored(child.backend)
    with away(), pytest.raises(BrokerConnectionError):
        child.backend.dequeue(QUEUE, limit=1, timeout_s=0)

    assert claimed(child.backend).message_id == message_id


def test_acks_are_kept_until_they_can_be_written(child: Remote, away: Away) -> None:
    for _ in range(3):
        stored(child.backend)
    deliveries = child.backend.dequeue(QUEUE, limit=3, timeout_s=0)
    with away():
        for delivery in deliveries:
            child.backend.ack(delivery)
        with pytest.raises(BrokerConnectionError):
            child.backend.sync()

    child.backend.sync()
    stats = stats_of(child.backend)
    assert (stats.done, stats.running) == (3, 0)


def test_acks_are_written_though_nobody_asks(child: Remote, away: Away) -> None:
    stored(child.backend)
    delivery = claimed(child.backend)
    with away():
        child.backend.ack(delivery)

    eventually(lambda: stats_of(child.backend).done == 1)


def nack(backend: QueueBackend, delivery: Delivery) -> None:
    backend.nack(delivery, reason="failed", error="ValueError")


def retry(backend: QueueBackend, delivery: Delivery) -> None:
    backend.retry(delivery, queue=QUEUE, payload=b"again", delay_ms=60_000, error="ValueError")


def release(backend: QueueBackend, delivery: Delivery) -> None:
    backend.release([delivery], delay_ms=60_000)


@pytest.mark.parametrize(("settle", "state"), [(nack, "dead"), (retry, "delayed"), (release, "delayed")])
def test_settling_works_when_it_is_tried_again(
    child: Remote, away: Away, settle: Callable[[QueueBackend, Delivery], None], state: str
) -> None:
    message_id = stored(child.backend)
    delivery = claimed(child.backend)
    with away(), pytest.raises(BrokerConnectionError):
        settle(child.backend, delivery)

    settle(child.backend, delivery)
    assert found(child.backend, message_id).state == state


def test_a_check_tells(child: Remote, away: Away) -> None:
    with away(), pytest.raises(BrokerConnectionError):
        child.backend.check(timeout_s=0.3)

    child.backend.check(timeout_s=30)


def test_a_process_that_starts_meanwhile_is_told_too(
    backend: QueueBackend, spawn: Spawn, case: Case, engine: Engine
) -> None:
    """It has yet to open the store, and must not wait for that without end."""
    backend.check(timeout_s=30)
    newcomer = spawn()
    with away_from(newcomer, case, engine)(), pytest.raises(BrokerConnectionError):
        newcomer.backend.check(timeout_s=0.3)

    newcomer.backend.check(timeout_s=30)


def test_operators_are_told(child: Remote, away: Away) -> None:
    message_id = stored(child.backend)
    with away():
        for verb in (child.backend.pause, child.backend.flush):
            with pytest.raises(BrokerConnectionError):
                verb(QUEUE)

    assert found(child.backend, message_id).state == "ready"
