"""A call of the model that all workers share begins and ends with the asking, whatever fails meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import structlog
from dramatiq.errors import Retry

from actors.conversations.sqlite_shared_calls import SQLiteSharedCalls
from actors.responders import ResponderUnavailable
from brokers.errors import EngineError

from .conftest import World
from .test_actors import sent, write


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(ai_max_concurrent=1)


def take(world: World, holder: str) -> str:
    """Take a call as another worker does."""
    lease_ms = int(1_000 * world.services.settings.longest_run_s)
    return world.conversations.shared_calls.take(holder, "whatsapp:+15005550007", most=1, lease_ms=lease_ms)


def test_the_call_is_taken_while_the_model_is_asked_and_free_afterwards(world: World) -> None:
    meanwhile: list[str] = []
    world.responder.meanwhile = lambda: meanwhile.append(take(world, "another"))
    write(world, "Oi")

    assert meanwhile == ["full"]
    assert take(world, "another") == "taken"


def test_it_is_free_when_the_model_fails(world: World) -> None:
    world.responder.error = ResponderUnavailable("the model is down")
    with pytest.raises(ResponderUnavailable):
        write(world, "Oi")

    assert take(world, "another") == "taken"


def test_an_answer_is_not_lost_when_its_end_cannot_be_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was paid for. The call's lease ends it."""

    def away(*_: object) -> None:
        raise EngineError("the disk is full")

    monkeypatch.setattr(SQLiteSharedCalls, "end", away)
    with structlog.testing.capture_logs() as logs:
        write(world, "Oi")

    assert sent(world) == ["answer to Oi"]
    [warning] = [line for line in logs if line["log_level"] == "warning"]
    assert warning["why"] == "the disk is full"
    assert take(world, "another") == "full"


def test_an_overload_that_tells_how_long_it_lasts_holds_for_all(world: World) -> None:
    world.responder.error = ResponderUnavailable("too many", delay=5_000, overloaded=True)
    with pytest.raises(ResponderUnavailable):
        write(world, "Oi")
    world.responder.error = None

    with pytest.raises(Retry):
        write(world, "Outra vez")
    assert len(world.responder.asked) == 1, "nobody is asked before it is over"
