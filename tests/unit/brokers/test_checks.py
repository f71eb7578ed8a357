"""Stores are checked side by side, and no more often than is good for them."""

from __future__ import annotations

import threading

from brokers.checks import GOOD_FOR_S, Checks
from brokers.errors import EngineError


class AStore:
    """Counts its checks, and fails them when told to."""

    def __init__(self) -> None:
        self.checked = 0
        self.error: Exception | None = None

    def check(self, *, timeout_s: float) -> None:  # noqa: ARG002
        self.checked += 1
        if self.error is not None:
            raise self.error


def test_troubles_are_told_by_name_and_end() -> None:
    now = 0.0
    well, broken = AStore(), AStore()
    checks = Checks({"well": well, "broken": broken}, clock=lambda: now)
    broken.error = EngineError("no database")
    assert checks.troubles() == {"broken": "no database"}

    broken.error = None
    now += GOOD_FOR_S
    assert checks.troubles() == {}
    assert checks.names == ["well", "broken"]


def test_an_outcome_is_good_for_a_moment() -> None:
    now = 0.0
    store = AStore()
    checks = Checks({"store": store}, clock=lambda: now)
    for _ in range(3):
        checks.troubles()
    assert store.checked == 1

    now += GOOD_FOR_S
    checks.troubles()
    assert store.checked == 2


def test_stores_do_not_wait_for_each_other() -> None:
    both = threading.Barrier(2, timeout=20)

    class Waits(AStore):
        def check(self, *, timeout_s: float) -> None:
            super().check(timeout_s=timeout_s)
            both.wait()

    assert Checks({"one": Waits(), "other": Waits()}).troubles() == {}


def test_no_stores_have_no_troubles() -> None:
    assert Checks({}).troubles() == {}
