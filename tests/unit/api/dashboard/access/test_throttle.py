"""How often a password may be tried."""

from __future__ import annotations

from api.dashboard.access.sessions import KnownBrowser
from api.dashboard.access.throttle import REMEMBERED, TRIES, TRIES_OF_ALL, WINDOW_S, Throttle


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


def test_a_known_browser_of_an_operator_waits_for_its_own_failures_only() -> None:
    throttle = Throttle(clock=Clock())
    one, another = KnownBrowser("operator", "one"), KnownBrowser("operator", "another")
    for number in range(TRIES_OF_ALL):
        throttle.failed("a proxy" if number % 2 else f"address {number}")
        throttle.failed("a proxy", KnownBrowser("viewer", f"browser {number}"))

    assert throttle.wait_s("a proxy") > 0
    assert throttle.wait_s("a proxy", one) == 0
    for _ in range(TRIES):
        throttle.failed("a proxy", one)
    assert throttle.wait_s("a proxy", one) > 0
    assert throttle.wait_s("a proxy", another) == 0


def test_viewers_cannot_guess_on_with_ever_new_browsers() -> None:
    throttle = Throttle(clock=Clock())
    for number in range(TRIES_OF_ALL):
        throttle.failed("an address", KnownBrowser("viewer", f"browser {number}"))

    assert throttle.wait_s("an address", KnownBrowser("viewer", "a new one")) > 0
    assert throttle.wait_s("an address") == 0, "strangers are counted among themselves"


def test_strangers_who_try_one_name_from_many_addresses_wait() -> None:
    throttle = Throttle(clock=Clock())
    for number in range(TRIES):
        assert throttle.wait_s(f"address {number}", name="maria") == 0
        throttle.failed(f"address {number}", name="maria")

    assert throttle.wait_s("a new one", name="maria") > 0
    assert throttle.wait_s("a new one", name="joana") == 0
    assert throttle.wait_s("a new one", KnownBrowser("maria", "hers"), name="maria") == 0
    assert throttle.wait_s("a new one") == 0


def test_strangers_who_try_many_names_from_one_address_wait() -> None:
    throttle = Throttle(clock=Clock())
    for number in range(TRIES):
        throttle.failed("one", name=f"person {number}")

    assert throttle.wait_s("one", name="maria") > 0
    assert throttle.wait_s("another", name="maria") == 0


def test_only_so_many_addresses_are_remembered() -> None:
    throttle = Throttle(clock=Clock())
    for number in range(REMEMBERED * 2):
        throttle.failed(f"address {number}")

    assert len(throttle._failures) == REMEMBERED
    assert throttle.wait_s("anybody") > 0, "all of them together are still counted"
