"""What a queue stores of a message is what Dramatiq makes of it."""

from __future__ import annotations

import dramatiq
import pytest
from dramatiq import JSONEncoder, Message, PickleEncoder

from brokers.outgoing import _encoded

MESSAGE: Message[None] = Message(
    "default", "greet", ("olá", 1.5, None), {"deep": [{"a": 1}]}, {"retries": 2, "nothing": None}
)


class Own(JSONEncoder):
    """One that somebody derived."""

    def encode(self, data: dict[str, object]) -> bytes:
        return super().encode({**data, "own": True})


@pytest.mark.parametrize("encoder", [JSONEncoder(), PickleEncoder(), Own()])
def test_it_is_the_same_to_the_byte(encoder: dramatiq.Encoder) -> None:
    before = dramatiq.get_encoder()
    dramatiq.set_encoder(encoder)
    try:
        assert _encoded(MESSAGE) == MESSAGE.encode()
    finally:
        dramatiq.set_encoder(before)
