"""Payloads of any program, as a page shows them."""

from __future__ import annotations

import json

import pytest

from api.dashboard.rendering.payloads import MAX_DEPTH, NOT_SHOWN, message_of, readable
from api.dashboard.rendering.render import html

NUMBER = "+5511900001234"
MASKED = "+55•••••••34"


def nested(levels: int) -> bytes:
    """A message with lists so deep in each other."""
    return b'{"args": [' + b"[" * levels + b"]" * levels + b'], "note": "' + NUMBER.encode() + b'"}'


def test_a_payload_is_readable_masked_and_as_it_is() -> None:
    payload = json.dumps({"Body": f"Olá {NUMBER}"}).encode()

    assert readable(payload) == f'{{\n  "Body": "Olá {MASKED}"\n}}'
    assert NUMBER in readable(payload, reveal=True)


def test_what_is_no_json_is_masked_as_text() -> None:
    assert readable(b"\xff call " + NUMBER.encode()) == f"\N{REPLACEMENT CHARACTER} call {MASKED}"
    assert NUMBER in readable(NUMBER.encode(), reveal=True) + NUMBER


def test_a_payload_may_be_deep() -> None:
    payload = nested(MAX_DEPTH - 2)

    assert message_of(payload)["note"] == NUMBER
    assert json.loads(readable(payload))["note"] == MASKED


@pytest.mark.parametrize(
    "payload",
    [
        *(nested(levels) for levels in (MAX_DEPTH, 500, 950, 1_100, 30_000)),
        b'{"args": [' + b"9" * 5_000 + b"]}",
    ],
    ids=["a level too deep", "500 levels", "950 levels", "1,100 levels", "30,000 levels", "5,000 digits"],
)
def test_a_payload_that_cannot_be_masked_is_shown_to_operators_only(payload: bytes) -> None:
    assert readable(payload) == NOT_SHOWN
    assert readable(payload, reveal=True) == payload.decode()
    assert message_of(payload) == {}


def test_half_a_surrogate_pair_can_be_shown() -> None:
    payload = readable(b'{"Body": "half \\ud83d"}')

    shown = html("closed.html", {"title": "A payload", "text": payload})

    assert b"half \xef\xbf\xbd" in bytes(shown.body)
