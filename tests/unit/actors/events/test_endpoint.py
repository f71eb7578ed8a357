"""An endpoint gets signed events, and what it answers decides what becomes of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from actors.events.endpoint import Endpoint, NotTaken, Refused
from actors.events.event import event
from actors.events.signature import signature_headers
from tests.fakes.endpoint import KEY, SECRET, TOKEN, FakeEndpoint
from tests.support.conversations import CONVERSATION
from tests.support.system import ROOT

OLD_KEY = b"what was the key before rotating"

EVENT = event(
    "reply.sent", CONVERSATION, {"reply": {"text": "Olá, ação 🚲"}}, about="1", at_ms=1_700_000_000_001
)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as server:
        yield server


@pytest.fixture
def http(server: FakeEndpoint) -> FakeEndpoint:
    server.taken.clear()
    server.refused.clear()
    server.accept()
    return server


def endpoint(http: FakeEndpoint, *keys: bytes) -> Endpoint:
    return Endpoint(1, http.url, keys=keys or [KEY], timeout_s=10.0)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The vector of the specification's own libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', at_s=1_614_265_330, keys=[key]
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_an_event_is_taken_as_it_was_made(http: FakeEndpoint) -> None:
    endpoint(http).post(EVENT)

    [taken] = http.taken
    assert taken.event == EVENT
    assert taken.event["time"] == "2023-11-14T22:13:20.001Z"
    assert taken.headers["webhook-id"] == EVENT["id"]
    assert taken.headers["content-type"] == "application/json"


def test_the_example_in_the_docs_checks_it(http: FakeEndpoint) -> None:
    endpoint(http, OLD_KEY, KEY).post(EVENT)
    [taken] = http.taken
    example: dict[str, Any] = {}
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "events.md").read_text(), re.DOTALL)
    exec(code, example)  # noqa: S102  our own

    assert example["is_from_recado"](taken.headers, taken.body, SECRET)
    assert not example["is_from_recado"](taken.headers, taken.body + b" ", SECRET)


def test_while_rotating_either_key_proves_it(http: FakeEndpoint) -> None:
    endpoint(http, OLD_KEY, KEY).post(EVENT)
    with pytest.raises(Refused, match="401"):
        endpoint(http, OLD_KEY).post(EVENT)

    assert len(http.taken) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
def test_what_may_pass_is_tried_again(http: FakeEndpoint, status: int) -> None:
    http.answer(status, Retry_After="7")
    with pytest.raises(NotTaken, match=rf"number 1\) answered {status}$") as raised:
        endpoint(http).post(EVENT)
    assert raised.value.retry_after_ms == 7_000


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_what_is_refused_is_not(http: FakeEndpoint, status: int) -> None:
    http.answer(status)
    with pytest.raises(Refused, match=rf"number 1\) answered {status}$"):
        endpoint(http).post(EVENT)


def test_no_redirect_is_followed(http: FakeEndpoint) -> None:
    http.answer(307, times=1, Location=http.url)
    with pytest.raises(Refused, match="answered 307, and redirects are not followed"):
        endpoint(http).post(EVENT)
    assert http.taken == []


def test_nobody_is_there() -> None:
    away = Endpoint(3, f"http://127.0.0.1:1/{TOKEN}", keys=[KEY], timeout_s=1.0)
    with pytest.raises(NotTaken) as raised:
        away.post(EVENT)
    assert str(raised.value) == "http://••• (number 3): the connection failed: ConnectError"
    assert raised.value.__cause__ is None


def test_one_that_does_not_answer_is_asked_by_one_event_at_a_time(http: FakeEndpoint) -> None:
    to = Endpoint(1, http.url, keys=[KEY], timeout_s=0.5)
    with http.hanging() as hanging, pytest.raises(NotTaken, match="ReadTimeout"):
        to.post(EVENT)
    assert hanging.count == 1

    with ThreadPoolExecutor(1) as another, http.hanging() as hanging:
        asked = another.submit(Endpoint.post, to, EVENT)
        assert hanging.reached.wait(20)
        with pytest.raises(NotTaken, match="does not answer: another event finds out when it does"):
            to.post(EVENT)
        with pytest.raises(NotTaken, match="ReadTimeout"):
            asked.result()
    assert hanging.count == 1, "nothing but the one that finds out was sent"

    to.post(EVENT)
    http.answer(500)
    for _ in range(2):  # which is an answer
        with pytest.raises(NotTaken, match="answered 500"):
            to.post(EVENT)


def test_half_a_surrogate_pair_hinders_no_event(http: FakeEndpoint) -> None:
    endpoint(http).post({**EVENT, "reply": {"text": "half \ud83d"}})
    assert http.taken[0].event["reply"]["text"] == "half ?"
