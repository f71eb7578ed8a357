"""Data of version 0.1: it opens, its messages run, its conversations show."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from tests.fakes.twilio import FakeTwilio
from tests.support.redis_server import RedisServer
from tests.support.system import System

DATA = Path(__file__).parents[1] / "data" / "v0_1"

#: As the data has them.
ACCOUNT_SID = "AC" + "1" * 32
STATES = {
    "Pergunta 0": ("pending", None),
    "Pergunta 1": ("sending", None),
    "Pergunta 2": ("sent", None),
    "Pergunta 3": ("sent", "delivered"),
    "Pergunta 4": ("failed", None),
    "Pergunta 5": ("unknown", None),
}


def contact(number: int) -> str:
    return f"whatsapp:+55119000000{number:02d}"


def on_sqlite(directory: Path) -> dict[str, str]:
    for name in ("queue.db", "queue.db-wal", "conversations.db"):
        (directory / name).write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
    return {
        "QUEUE_SQLITE_DB_PATH": str(directory / "queue.db"),
        "CONVERSATIONS_SQLITE_DB_PATH": str(directory / "conversations.db"),
    }


def on_redis(server: RedisServer) -> dict[str, str]:
    client = redis.Redis(port=server.port)
    for line in gzip.decompress((DATA / "redis.jsonl.gz").read_bytes()).decode().splitlines():
        client.execute_command(*map(base64.b64decode, json.loads(line)))
    client.close()
    return {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url, "REDIS_NAMESPACE": "recado"}


@pytest.fixture(params=["sqlite", "redis"])
def system(request: pytest.FixtureRequest, twilio: FakeTwilio, tmp_path: Path) -> Iterator[System]:
    """A system on the data of 0.1, in which nothing runs yet."""
    directory = tmp_path / "data"
    directory.mkdir()
    with ExitStack() as stack:
        if request.param == "sqlite":
            places = on_sqlite(directory)
        else:
            places = on_redis(stack.enter_context(RedisServer(directory)))
        yield stack.enter_context(
            System(
                tmp_path,
                twilio,
                account_sid=ACCOUNT_SID,
                MESSAGE_MAX_AGE_MS="0",  # the data is older than any message would be answered at
                WHATSAPP_WINDOW_TEMPLATE="HX" + "1" * 32,  # and than WhatsApp takes a text for
                **places,
            )
        )


def test_its_conversations_show(system: System) -> None:
    reader = system.conversations.reader

    assert len(reader.conversations()) == 8
    for number, (question, expected) in enumerate(STATES.items()):
        [summary] = reader.conversations(contact=contact(number))
        [asked, answered] = reader.thread(summary.conversation)
        assert (asked.text, answered.text) == (question, f"Resposta {number}")
        assert (answered.state, answered.delivery_status) == expected
    [summary] = reader.conversations(contact=contact(11))
    assert [entry.in_quarantine for entry in reader.thread(summary.conversation)] == [True]


def test_its_messages_run_and_its_dead_letter_can_be_replayed(system: System) -> None:
    system.api()
    system.worker()
    system.settle()

    for number in (10, 12, 13):
        assert len(system.twilio.sent_to(contact(number))) == 1, number
    letters = {letter.reason: letter for letter in system.dead_letters()}
    assert set(letters) == {"failed", "unknown_actor"}
    assert (letters["failed"].last_error or "").startswith("Traceback: made up")

    assert system.run("dead", "replay", letters["failed"].message_id).returncode == 0
    system.settle()
    assert len(system.twilio.sent_to(contact(11))) == 1


def test_its_replies_go_out_when_their_contact_writes_again(system: System) -> None:
    system.api()
    system.worker()
    system.write("Ainda está aí?", sender=contact(0))
    system.settle()

    assert system.twilio.bodies_to(contact(0))[0] == "Resposta 0"
    assert len(system.twilio.bodies_to(contact(0))) == 2
