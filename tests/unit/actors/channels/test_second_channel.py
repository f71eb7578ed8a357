"""A channel that speaks another payload: no change in the stores, the actors or the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from actors.channels import DeliveryStatus, InboundMessage, InvalidMessage, Others
from actors.conversation import Contact
from actors.replies import inbound_message
from actors.reply import Reply
from actors.services import UnknownChannel
from tests.unit.actors.conftest import World


class Pigeon:
    """Carries notes. Its payloads have none of Twilio's words."""

    max_characters = 20
    not_found_is_not_sent = True

    def __init__(self) -> None:
        self.carried: list[tuple[str, str]] = []

    def read(self, payload: Mapping[str, Any]) -> InboundMessage:
        if "note" not in payload:
            raise InvalidMessage("There is no note")
        return InboundMessage(
            channel="pigeon",
            account="loft",
            external_id=payload["ring"],
            contact=Contact(payload["roof"], payload.get("name")),
            address="shop",
            text=payload["note"],
            payload=payload,
        )

    def read_status(self, payload: Mapping[str, Any]) -> DeliveryStatus:
        lost = payload["seen"] == "hawk"
        return DeliveryStatus(payload["ring"], payload["seen"], 1, lost, "lost" if lost else None, "roof-1")

    def send(self, reply: Reply) -> str:
        self.carried.append((reply.contact, reply.body))
        return f"ring-of-{reply.reply_id}"

    def find(
        self,
        reply: Reply,  # noqa: ARG002
        *,
        is_known: Callable[[str], bool],  # noqa: ARG002
        others: Others = tuple,  # noqa: ARG002
    ) -> str | None:
        return None


@pytest.fixture
def pigeon(world: World) -> Pigeon:
    pigeon = Pigeon()
    world.services.channels["pigeon"] = pigeon  # type: ignore[index]  # a dict in tests
    return pigeon


def test_it_is_answered_like_any_other(world: World, pigeon: Pigeon) -> None:
    payload = {"ring": "1", "roof": "roof-1", "note": "Oi", "name": "Ana"}
    world.services.broker.enqueue(inbound_message(payload, "pigeon"))
    world.run_next("messages")
    world.run_next("replies")

    [conversation] = world.responder.conversations
    assert (conversation.channel, conversation.account, conversation.address) == ("pigeon", "loft", "shop")
    assert conversation.contact == Contact("roof-1", "Ana")
    assert conversation.unanswered[0].payload == payload
    assert pigeon.carried == [("roof-1", "answer to Oi")]
    [summary] = world.conversations.reader.conversations()
    assert (summary.contact, summary.state) == ("roof-1", "sent")


def test_its_texts_are_as_long_as_it_carries(world: World, pigeon: Pigeon) -> None:
    payload = {"ring": "1", "roof": "roof-1", "note": "a very long note that is repeated"}
    world.services.broker.enqueue(inbound_message(payload, "pigeon"))
    world.run_next("messages")
    world.run_next("replies")

    [(_, text)] = pigeon.carried
    assert len(text) <= pigeon.max_characters


def test_a_channel_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(UnknownChannel, match=r"'drum'.*twilio"):
        world.services.channel("drum")
