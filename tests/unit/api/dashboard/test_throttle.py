"""How often a password may be tried."""

from __future__ import annotations

from api.dashboard.throttle import REMEMBERED, TRIES, TRIES_OF_ALL, WINDOW_S, Throttle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_that_failed_too_often_waits() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    for _ in range(TRIES):
        assert throttle.wait_s("one") == 0
        throttle.failed("one")

    assert 0 < throttle.wait_s("one") <= WINDOW_S + 1
    assert throttle.wait_s("another") == 0
    clock.now += WINDOW_S + 1
    assert throttle.wait_s("one") == 0


def test_many_addresses_together_wait_as_well() -> None:
    throttle = Throttle(clock=Clock())
    for number in range(TRIES_OF_ALL):
        throttle.failed(f"address {number}")

    assert throttle.wait_s("a new one") > 0


def test_only_so_many_addresses_are_remembered() -> None:
    throttle = Throttle(clock=Clock())
    for number in range(REMEMBERED * 2):
        throttle.failed(f"address {number}")

    assert len(throttle._failures) == REMEMBERED
    assert throttle.wait_s("anybody") > 0, "all of them together are still counted"
