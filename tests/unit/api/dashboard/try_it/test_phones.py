"""A phone: what it writes, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.channels import ConsoleChannel
from actors.channels.twilio import inbound
from api.dashboard.try_it import carrier as carriers
from api.dashboard.try_it.carrier import Carrier
from api.dashboard.try_it.network import NotReached
from api.dashboard.try_it.outbox import SentReplies
from api.dashboard.try_it.phones import PHONES, phones

from ..requests import settings
from .parts import OTHER, PHONE, NoNetwork, reply


def test_a_message_is_read_as_one_of_the_contact() -> None:
    network = NoNetwork()
    phone = phones(settings(), network)[1]
    written = phone.write("Oi", name="Customer 1", with_picture=True)

    message = inbound.read(network.brought[0])
    assert message.message_id == written.message_id
    assert message.conversation == phone.conversation
    assert (message.contact.address, message.contact.name) == (PHONE, "Customer 1")
    assert [media.mime_type for media in message.media] == ["image/jpeg"]
    assert written.is_taken


def test_a_repeat_is_the_same_message_once_more() -> None:
    network = NoNetwork()
    phone = phones(settings(), network)[2]
    assert phone.repeat() is None
    phone.write("um", name="")
    last = phone.write("dois", name="")

    assert phone.repeat() is last
    assert network.brought[2] == network.brought[1]
    assert (len(last.posted), len(phone.written)) == (2, 2)


def test_each_phone_is_another_contact() -> None:
    made = phones(settings(), NoNetwork())

    assert list(made) == list(range(1, PHONES + 1))
    assert len({phone.conversation for phone in made.values()}) == PHONES


def test_what_was_refused_or_did_not_arrive_is_told() -> None:
    network = NoNetwork()
    phone = phones(settings(), network)[1]
    network.status = 403
    assert not phone.write("um", name="").is_taken
    network.is_away = True

    with pytest.raises(NotReached):
        phone.write("dois", name="")
    assert [each.parameters["Body"] for each in phone.written] == ["um"]


def test_a_reply_to_a_phone_is_reported_as_delivered_once(tmp_path: Path) -> None:
    network, path = NoNetwork(), tmp_path / "outbox.jsonl"
    channel = ConsoleChannel(path)
    channel.send(reply("before"))
    carrier = Carrier(SentReplies(path), network, [PHONE])
    sid = channel.send(reply("um"))
    channel.send(reply("dois", OTHER))

    network.is_away = True
    with pytest.raises(NotReached):
        carrier.deliver()
    network.is_away = False
    carrier.deliver()
    carrier.deliver()
    [(reply_id, parameters)] = network.reported
    assert reply_id == "reply-um"
    assert (parameters["MessageSid"], parameters["MessageStatus"]) == (sid, "delivered")


def test_the_carrier_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "EVERY_S", 0.001)
    carrier = Carrier(SentReplies(tmp_path / "none.jsonl"), NoNetwork(), [PHONE])
    carrier.start()
    carrier.close()
    carrier.close()
