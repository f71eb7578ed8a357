"""A webhook goes by the name its proxy gave it, if that is fit for a log."""

from __future__ import annotations

import logging

import pytest
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from structlog.contextvars import get_contextvars

from api.request_ids import HEADER, RequestIds, request_id_of
from tests.fakes.server import Server
from tests.support import plain_http


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


def test_the_servers_line_about_a_failure_has_the_id_and_the_next_request_has_not() -> None:
    said: list[dict[str, object]] = []

    class Listens(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            said.append(get_contextvars())

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError(scope["path"])

    with Server(RequestIds(fails)) as server:
        log, listens = logging.getLogger("uvicorn.error"), Listens()
        log.addHandler(listens)
        try:
            with plain_http.client(base_url=server.url) as client:  # one connection
                answers = [
                    client.get("/webhooks/a", headers={HEADER: "request-1"}),
                    client.get("/elsewhere", headers={HEADER: "request-2"}),
                    client.get("/webhooks/b", headers={HEADER: "request-3"}),
                ]
        finally:
            log.removeHandler(listens)

    assert [answer.status_code for answer in answers] == [500, 500, 500]
    assert said == [{"request_id": "request-1"}, {}, {"request_id": "request-3"}]
