"""What several tests of the brokers use."""

from __future__ import annotations

import pytest


class Time:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The monotonic clock, which goes on only when it is told to."""
    time = Time()
    monkeypatch.setattr("time.monotonic", time)
    return time
