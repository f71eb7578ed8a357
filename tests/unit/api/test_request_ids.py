"""A webhook goes by the name its proxy gave it, if that is fit for a log."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from api.request_ids import HEADER, request_id_of


@pytest.mark.parametrize("given", ["a", "Request-1.b_C", "0" * 64])
def test_a_proxys_id_is_taken(given: str) -> None:
    assert request_id_of(Headers({HEADER: given})) == given
    assert request_id_of(Headers({HEADER.lower(): given})) == given


@pytest.mark.parametrize(
    "given", ["", " ", "two words", "0" * 65, "a\nb", "a\n", 'a"b', "olá", "a/b", "${x}"]
)
def test_what_is_no_id_is_replaced(given: str) -> None:
    one, other = (request_id_of(Headers({HEADER: given.encode().decode("latin-1")})) for _ in range(2))
    assert given not in {one, other}
    assert one != other
    assert len(one) == 32


def test_each_webhook_without_one_gets_its_own() -> None:
    assert request_id_of(Headers({})) != request_id_of(Headers({}))
