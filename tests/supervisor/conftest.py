"""A stage for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.twilio import FakeTwilio

from .stage import SETTINGS, Stage

MakeStage = Callable[..., Stage]


@pytest.fixture(scope="session")
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as twilio:
        yield twilio


@pytest.fixture
def make_stage(tmp_path: Path, twilio: FakeTwilio) -> Iterator[MakeStage]:
    """Makes a stage; nothing runs on it yet, and nothing any more when the test is over."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Stage(tmp_path, twilio, **{**SETTINGS, **settings}))


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage()
