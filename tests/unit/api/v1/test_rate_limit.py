"""A token's requests: a minute's at once, and then as many as a minute has."""

from __future__ import annotations

from api.v1.rate_limit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_minutes_requests_may_come_at_once_and_no_more() -> None:
    clock = Clock()
    limit = RateLimit(60, clock=clock)

    assert [limit.wait_s("crm") for _ in range(60)] == [0] * 60
    assert limit.wait_s("crm") == 1
    clock.now_s += 1
    assert [limit.wait_s("crm") for _ in range(2)] == [0, 1]


def test_a_request_that_was_refused_is_not_counted() -> None:
    clock = Clock()
    limit = RateLimit(1, clock=clock)
    assert limit.wait_s("crm") == 0

    assert [limit.wait_s("crm") for _ in range(3)] == [60, 60, 60]
    clock.now_s += 59.5
    assert limit.wait_s("crm") == 1
    clock.now_s += 0.5
    assert limit.wait_s("crm") == 0


def test_each_token_has_its_own() -> None:
    limit = RateLimit(1, clock=Clock())
    assert limit.wait_s("crm") == 0
    assert limit.wait_s("crm") > 0

    assert limit.wait_s("help-desk") == 0


def test_a_long_rest_saves_up_no_more_than_a_minutes_requests() -> None:
    clock = Clock()
    limit = RateLimit(3, clock=clock)
    assert limit.wait_s("crm") == 0
    clock.now_s += 3_600

    assert [limit.wait_s("crm") for _ in range(4)] == [0, 0, 0, 20]
