"""What the phone reads of the console sender's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.channels import ConsoleChannel
from actors.privacy import Person
from actors.privacy.outbox_place import OutboxPlace
from api.dashboard.try_it import outbox
from api.dashboard.try_it.outbox import SentReplies

from .parts import OTHER, PHONE, reply


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.jsonl"


def texts(path: Path, contact: str = PHONE) -> list[str]:
    return [each.text for each in SentReplies(path).to(contact)]


def test_a_phone_gets_its_own_replies_in_order(path: Path) -> None:
    assert texts(path) == []
    channel = ConsoleChannel(path)
    for text, contact in (("um", PHONE), ("dois", OTHER), ("três", PHONE)):
        channel.send(reply(text, contact))

    assert texts(path) == ["um", "três"]
    assert texts(path, OTHER) == ["dois"]


def test_a_line_that_is_being_written_is_read_when_it_is_whole(path: Path) -> None:
    ConsoleChannel(path).send(reply("um"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    found, place = SentReplies(path).since(0)

    assert ([each.text for each in found], place) == (["um"], len(whole))
    path.write_bytes(whole + whole)
    found, place = SentReplies(path).since(place)
    assert ([each.text for each in found], place) == (["um"], 2 * len(whole))


def test_what_was_erased_is_not_there(path: Path) -> None:
    channel = ConsoleChannel(path)
    channel.send(reply("um"))
    channel.send(reply("dois", OTHER))
    OutboxPlace(path).erase(Person.read(PHONE))

    assert texts(path) == []
    assert texts(path, OTHER) == ["dois"]


def test_of_a_long_file_only_the_end_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = ConsoleChannel(path)
    for number in range(20):
        channel.send(reply(f"{number}"))
    monkeypatch.setattr(outbox, "SHOWN_BYTES", path.stat().st_size // 4)

    assert texts(path)[-1] == "19"
    assert 3 <= len(texts(path)) <= 5
