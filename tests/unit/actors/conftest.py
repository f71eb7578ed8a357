"""The actors' surroundings, with nothing of them outside the test's directory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import actors
from actors.answer import Answer, Usage
from actors.channels import DeliveryStatus, InboundMessage, Others, Payload
from actors.channels.twilio import delivery, inbound
from actors.channels.twilio.rest import MAX_CHARACTERS
from actors.channels.twilio.segments import segments
from actors.conversation import Conversation
from actors.conversations import ConversationStore, SQLiteConversationStore
from actors.events.endpoint import endpoints_of
from actors.hold_policy import HoldPolicy, LookupPolicy
from actors.notices.receiver import Receiver
from actors.profiles import Profiles
from actors.reply import Reply
from actors.responders import CallLimit
from actors.services import Services
from actors.services import services as ask_for_services
from brokers import SQLiteBroker
from brokers.records import State
from ops.foundation.settings import Settings
from tests.fakes.twilio import Account, FakeTwilio


@pytest.fixture(scope="session")
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as twilio:
        yield twilio


@pytest.fixture
def account(twilio: FakeTwilio) -> Account:
    return twilio.account()


class ScriptedResponder:
    """Does what the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.conversations: list[Conversation] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.error: Exception | None = None
        self.answer: Answer | None = None

    def respond(self, conversation: Conversation) -> Answer:
        self.conversations.append(conversation)
        self.asked.append([message.text for message in conversation.unanswered])
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return self.answer or Answer("answer to " + ", ".join(self.asked[-1]), Usage("scripted"))


class ScriptedChannel:
    """Reads as Twilio's channel, sends as the test says, and remembers what it sent."""

    max_characters = MAX_CHARACTERS

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.error: Exception | None = None
        self.found: str | None = None
        self.not_found_is_not_sent = False
        self.is_paced = True
        self.pause_ms = 0.0

    def read(self, payload: Payload) -> InboundMessage:
        return inbound.read(payload)

    def read_status(self, payload: Payload) -> DeliveryStatus:
        return delivery.read_status(payload)

    def send(self, reply: Reply) -> str:
        if self.error is not None:
            raise self.error
        self.sent.append(reply.body)
        return f"SM{len(self.sent)}-{reply.reply_id}"

    def segments(self, reply: Reply) -> int:
        return segments(reply)

    def pause_after_ms(self, reply: Reply) -> float:  # noqa: ARG002
        return self.pause_ms

    def find(
        self,
        reply: Reply,  # noqa: ARG002
        *,
        is_known: Callable[[str], bool],  # noqa: ARG002
        others: Others = tuple,  # noqa: ARG002
    ) -> str | None:
        return self.found


#: Of messages that wait.
STATES: tuple[State, ...] = ("ready", "delayed")


#: The modules of actors that ask for the services.
WITH_SERVICES = [
    module
    for name, module in list(sys.modules.items())
    if name.startswith("actors.") and getattr(module, "services", None) is ask_for_services
]


class World:
    """The services the actors work with in this test.

    Attributes:
      enqueued: the messages in the queue, as actor and first argument.
    """

    def __init__(self, services: Services, responder: ScriptedResponder, channel: ScriptedChannel) -> None:
        self.services = services
        self.responder = responder
        self.sender = channel

    @property
    def conversations(self) -> ConversationStore:
        return self.services.conversations

    @property
    def enqueued(self) -> list[str]:
        """The actors of the messages in the queue."""
        backend = self.services.broker.backend
        return [
            message.actor
            for queue in ("messages", "replies")
            for state in STATES
            for message in backend.list(queue, state)
        ]

    def run_next(
        self, queue: str = "messages", *, crashes: int = 0, meanwhile: Callable[[], object] = lambda: None
    ) -> str:
        """Take the next message out of a queue, and do with it what a worker does; returns its id.

        Parameters:
          queue: where from.
          crashes: how many workers died under it before.
          meanwhile: called between the actor's end and the acknowledgement.
        """
        broker = self.services.broker
        consumer = broker.consume(queue, prefetch=8, timeout=30_000)
        message = next(consumer)
        assert message is not None
        consumer.close()  # what else it claimed is given back
        message.delivery = message.delivery._replace(crashes=crashes)
        broker.emit_before("process_message", message)
        try:
            getattr(actors, message.actor_name).fn(*message.args)
        except Exception:
            message.fail()
            raise
        finally:
            meanwhile()
            broker.emit_after("process_message", message)
            (consumer.nack if message.failed else consumer.ack)(message)
        return message.message_id

    def state_of(self, message_id: str) -> State | None:
        """What a queue message is: None once it is done."""
        self.services.broker.backend.sync()
        stored = self.services.broker.backend.get(message_id)
        return None if stored is None else stored.state

    def forget_enqueued(self) -> None:
        """As if the process had died before it could enqueue anything."""
        self.services.broker.flush_all()


@pytest.fixture
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Makes the surroundings, with settings."""
    opened: list[Services] = []

    def make(
        *,
        policy: HoldPolicy | None = None,
        profiles: Profiles | None = None,
        responders: Mapping[str, ScriptedResponder] | None = None,
        receivers: Mapping[str, Receiver] | None = None,
        **settings: object,
    ) -> World:
        responder, channel = ScriptedResponder(), ScriptedChannel()
        broker = SQLiteBroker(tmp_path / "queue.db", middleware=[])
        for queue in ("messages", "replies", "notices", "events"):
            broker.declare_queue(queue)
        read = Settings(_env_file=None, **{"reply_gather_ms": 0, **settings})  # type: ignore[arg-type]
        services = Services(
            settings=read,
            broker=broker,
            hold_policy=LookupPolicy(broker) if policy is None else policy,
            conversations=SQLiteConversationStore(tmp_path / "conversations.db"),
            responder=responder,
            calls_limit=CallLimit(8),
            channels={"twilio": channel},
            profiles=profiles or Profiles(),
            responders=responders or {},
            receivers={} if receivers is None else receivers,
            endpoints=endpoints_of(read),
        )
        opened.append(services)
        for module in WITH_SERVICES:
            monkeypatch.setattr(module, "services", lambda: services)
        return World(services, responder, channel)

    yield make
    for services in opened:
        services.conversations.close()
        services.broker.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
