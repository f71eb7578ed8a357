"""The console's outbox, when a person is erased from it."""

from __future__ import annotations

import json
from pathlib import Path

from actors.channels import ConsoleChannel
from actors.privacy import Person
from actors.privacy.outbox_place import OutboxPlace
from actors.reply import Reply

MARIA, JOAO = "whatsapp:+5511900001234", "whatsapp:+5511900005678"


def reply(contact: str, text: str) -> Reply:
    return Reply(
        reply_id=f"reply-{text}",
        conversation=f"AC1|+15005550006|{contact}",
        channel="twilio",
        account="AC1",
        contact=contact,
        address="+15005550006",
        body=text,
        kind="answer",
        state="sending",
        received_at=1,
        written_at=2,
        sending_at=3,
        external_id=None,
        delivery_status=None,
        error=None,
        mode="assistant",
    )


def test_the_replies_to_a_person_are_overwritten_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    channel, place = ConsoleChannel(path), OutboxPlace(path)
    for contact, text in ((MARIA, "um"), (JOAO, "dois"), (MARIA, "três")):
        channel.send(reply(contact, text))
    maria = Person.read(MARIA)
    before = path.stat().st_size
    assert [line["body"] for line in place.export(maria)] == ["um", "três"]

    assert place.erase(maria).counts == {"replies": 2}

    assert path.stat().st_size == before, "what others append meanwhile stays where it is"
    assert "900001234" not in path.read_text()
    assert [json.loads(line).get("body") for line in path.read_text().splitlines()] == [None, "dois", None]
    assert place.erase(maria).counts == {"replies": 0}
    channel.send(reply(MARIA, "quatro"))
    assert channel.find(reply(MARIA, "quatro"), is_known=bool) == channel.send(reply(MARIA, "quatro"))
    assert channel.find(reply(MARIA, "um"), is_known=bool) is None


def test_without_an_outbox_there_is_nothing(tmp_path: Path) -> None:
    place = OutboxPlace(tmp_path / "none.jsonl")

    assert list(place.export(Person.read(MARIA))) == []
    assert place.erase(Person.read(MARIA)).counts == {"replies": 0}
    assert not (tmp_path / "none.jsonl").exists()


def test_a_line_that_is_just_being_written_is_left(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    ConsoleChannel(path).send(reply(MARIA, "um"))
    with path.open("a") as file:
        file.write('{"to": "whatsapp:+55119000')

    OutboxPlace(path).erase(Person.read(MARIA))

    assert path.read_text().endswith('\n{"to": "whatsapp:+55119000')
