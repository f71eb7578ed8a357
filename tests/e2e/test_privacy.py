"""A person is exported, and erased everywhere: afterwards, their number and what was said are nowhere."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Message

from actors.answer import ToolCall, Usage
from actors.channels.twilio.inbound import read
from actors.conversations import ConversationStore
from actors.keys import sending_id, with_message_id
from actors.model_call import ModelCall
from brokers.backend import QueueBackend
from brokers.clock import now_ms
from brokers.records import QueueMessage, StoredMessage
from brokers.spool import _packed
from brokers.sqlite import SQLiteBackend
from tests.support.redis_server import ask
from tests.support.system import ADDRESS, SMS_ADDRESS, System
from tests.support.waiting import eventually

from .conftest import MakeSystem

MARIA = "+5511900007001"
WHATSAPP = f"whatsapp:{MARIA}"
#: Without Brazil's ninth digit; and a number that ends alike.
ALIKE, OTHER = "whatsapp:+551100007001", "whatsapp:+5511900005678"

#: A word that stands in all that was said with her, and nowhere else.
SECRET = "jabuticaba"

DIGITS = MARIA.lstrip("+")


@pytest.fixture
def shop(make_system: MakeSystem) -> System:
    """A shop in which nothing runs, and something of all that there is waits or lies."""
    system = make_system()
    furnish(system)
    return system


def furnish(system: System) -> None:
    for sender, to in ((WHATSAPP, ADDRESS), (MARIA, SMS_ADDRESS)):
        talk(system, sender=sender, to=to)
    system.conversations.append(inbound(system, "de outra pessoa", sender=OTHER), received_at=1)
    system.conversations.append(inbound(system, "sem o nono dígito", sender=ALIKE), received_at=1)
    fill(system, system.queue)
    put(system.queue, "ready", "process_ai_response", parameters(system, "fica", sender=OTHER))
    (system.directory / "outbox.jsonl").write_text(
        json.dumps({"reply_id": "r1", "to": WHATSAPP, "body": SECRET}) + "\n"
        + json.dumps({"reply_id": "r2", "to": OTHER, "body": "fica"}) + "\n"
    )  # fmt: skip
    if "REDIS_URL" in system.settings:
        with closing(SQLiteBackend(system.settings["SPOOL_PATH"])) as spool:
            body = encoded("process_ai_response", parameters(system, SECRET))
            message = QueueMessage("spooled", "messages", "process_ai_response", body)
            assert spool.enqueue(_packed(message))


def parameters(system: System, text: str, *, sender: str = WHATSAPP, to: str = ADDRESS) -> dict[str, str]:
    return {**system.parameters(text, sender=sender, to=to), "WaId": sender.rpartition("+")[2]}


def inbound(system: System, text: str, **how: str) -> Any:
    return read(parameters(system, text, **how))


def talk(system: System, *, sender: str, to: str) -> None:
    """A conversation with a reply in each state, something unanswered, and something in quarantine."""
    store = system.conversations
    for number, state in enumerate(("sent", "failed", "unknown", "cancelled", "sending", "pending")):
        message = inbound(system, f"{SECRET} {number}", sender=sender, to=to)
        store.append(message, received_at=now_ms())
        hold = store.hold(message.conversation, "message", is_live=bool)
        assert hold is not None
        turn = store.turn(hold, history_limit=5)
        reply = store.answer(
            hold,
            turn,
            f"resposta: {SECRET} {number}",
            kind="answer",
            usage=Usage("a-model", 100, 5),
            call=ModelCall(prompt=f"user: {SECRET}", tool_calls=[ToolCall("find", SECRET, SECRET)]),
            metadata={"fruta": SECRET},
        ).reply
        store.release(hold)
        if state != "pending":
            bring(store, reply.reply_id, state)
    for text in ("em quarentena", "sem resposta"):
        message = inbound(system, f"{SECRET} {text}", sender=sender, to=to)
        store.append(message, received_at=now_ms())
        if text == "em quarentena":
            store.quarantine(message)
    store.set_mode(message.conversation, "nobody", "opted out")
    send: Message[Any] = Message("replies", "send_reply", (reply.reply_id,), {}, {})
    sending = with_message_id(send, sending_id(reply.reply_id))
    system.queue.enqueue(QueueMessage(sending.message_id, "replies", "send_reply", sending.encode()))


def bring(store: ConversationStore, reply_id: str, state: str) -> None:
    assert store.begin_sending(reply_id)
    match state:
        case "sent":
            store.record_sent(reply_id, f"SM-{reply_id}")
        case "failed":
            store.record_not_sent(reply_id, f"recusada: {SECRET}", final=True)
        case "unknown":
            store.record_unknown(reply_id, f"talvez: {SECRET}")
        case "cancelled":
            store.record_cancelled(reply_id, "a person answers")


def encoded(actor: str, *arguments: Any) -> bytes:
    message: Message[Any] = Message("messages", actor, arguments, {}, {})
    return message.encode()


def put(queue: QueueBackend, message_id: str, actor: str, *arguments: Any, delay_ms: int = 0) -> None:
    body = encoded(actor, *arguments)
    assert queue.enqueue(QueueMessage(message_id, "messages", actor, body, delay_ms=delay_ms))


def fill(system: System, queue: QueueBackend) -> None:
    """Messages about her in every state in which nothing runs, also much that is done by now."""
    long_ago = [f"done-{number}" for number in range(40)]
    for message_id in long_ago:
        put(queue, message_id, "process_ai_response", parameters(system, f"{SECRET} " * 200))
    deliveries = queue.dequeue("messages", limit=len(long_ago), timeout_s=10)
    while len(deliveries) < len(long_ago):
        deliveries += queue.dequeue("messages", limit=len(long_ago), timeout_s=10)
    for delivery in deliveries:
        queue.ack(delivery)
    queue.sync()
    status = {"To": WHATSAPP, "MessageSid": "SM1", "MessageStatus": "sent"}
    put(queue, "her-ready", "process_ai_response", parameters(system, SECRET))
    put(queue, "her-delayed", "send_receipt", {"phone": MARIA, "item": SECRET}, delay_ms=3_600_000)
    queue.adopt(
        [
            StoredMessage(
                f"her-{actor}", "messages", actor, "dead", body, 0, 1, 0, 1, 1, f"ValueError: {SECRET}",
                reason="failed", died_at=now_ms(),
            )
            for actor, body in (
                ("process_ai_response", encoded("process_ai_response", parameters(system, SECRET))),
                ("record_delivery_status",
                 encoded("record_delivery_status", status, "a reply")),
                ("nonsense", f"\x01 {SECRET} {WHATSAPP}".encode()),
            )
        ]
    )  # fmt: skip


def left(system: System, *words: str) -> list[str]:
    """Where any of these words is. A file of SQLite's is read from outside, and not while it is open here."""
    system.queue.close()
    system.conversations.close()
    patterns = [each for word in words for each in ("-e", word)]
    command = ["grep", "-rlaF", *patterns, str(system.directory)]
    files = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return files + [key for key, value in on_server(system) if any(word in key + value for word in words)]


def on_server(system: System) -> Iterator[tuple[str, str]]:
    """All keys and values of the system's, as text."""
    if "REDIS_URL" not in system.settings:
        return
    port = int(system.settings["REDIS_URL"].rpartition(":")[2].partition("/")[0])
    reads = {
        b"string": ("GET",), b"hash": ("HGETALL",), b"set": ("SMEMBERS",), b"zset": ("ZRANGE", 0, -1),
        b"list": ("LRANGE", 0, -1),
    }  # fmt: skip
    for key in ask(port, "KEYS", f"*{system.settings['REDIS_NAMESPACE']}*"):
        verb, *arguments = reads.get(ask(port, "TYPE", key), ("GET",))  # it may just have expired
        yield key.decode(errors="replace"), str(ask(port, verb, key, *arguments))


def forget(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    return system.run("forget", MARIA, *arguments)


# -- erasing -------------------------------------------------------------------------------------------


def test_a_person_who_is_forgotten_is_nowhere(shop: System) -> None:
    assert left(shop, DIGITS, SECRET) != [], "or this test proves nothing"

    ended = forget(shop, "--yes", "--json", "--by", "Ana")

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["running"] == 0
    assert report["warnings"] == []
    assert report["erased"]["conversations"] == {"conversations": 2, "messages": 16, "replies": 12}
    assert report["erased"]["queue"] == {"messages": 4, "dead letters": 3}
    assert report["erased"]["outbox"] == {"replies": 1}
    if "REDIS_URL" in shop.settings:
        assert report["erased"]["spool"] == {"messages": 1, "dead letters": 0}
    assert left(shop, DIGITS, SECRET) == []


def test_nobody_else_is_touched(shop: System) -> None:
    forget(shop, "--yes")

    assert shop.queue.get("ready") is not None
    contacts = {summary.contact for summary in shop.conversations.reader.conversations()}
    assert contacts == {OTHER, ALIKE}
    [_, kept] = (shop.directory / "outbox.jsonl").read_text().splitlines()
    assert json.loads(kept)["to"] == OTHER


def test_an_opt_out_survives_and_what_is_written_then_is_not_answered(shop: System) -> None:
    forget(shop, "--yes")
    shop.api()
    shop.worker()

    shop.write("Oi", sender=WHATSAPP)
    shop.write("Oi", sender=shop.contact())
    shop.settle()

    assert shop.twilio.bodies_to(WHATSAPP) == []
    [summary] = shop.conversations.reader.conversations(contact=MARIA)
    assert summary.mode == "nobody"
    shop.write("START", sender=WHATSAPP)
    shop.settle()
    shop.write("Oi", sender=WHATSAPP)
    shop.settle()
    assert shop.twilio.bodies_to(WHATSAPP)[-1] == "[echo, not an AI] Oi"


def test_a_message_that_is_being_worked_on_is_told_of_and_erased_the_next_time(shop: System) -> None:
    [delivery] = shop.queue.dequeue("messages", limit=1, timeout_s=10)
    assert delivery.message_id == "her-ready"

    ended = forget(shop, "--yes", "--json")

    assert ended.returncode == 1
    assert "1 message(s) are being worked on now" in ended.stderr
    assert json.loads(ended.stdout)["running"] == 1
    assert shop.queue.get("her-ready") is not None

    shop.queue.release([delivery])
    assert forget(shop, "--yes").returncode == 0
    assert left(shop, DIGITS, SECRET) == []


def test_it_works_beside_workers_and_an_api(make_system: MakeSystem) -> None:
    system = make_system()
    system.api()
    system.worker()
    for number in range(5):
        system.write(f"{SECRET} {number}", sender=WHATSAPP)
        system.write(f"oi {number}", sender=OTHER)
    system.settle()

    eventually(lambda: forget(system, "--yes").returncode == 0)
    system.write("e eu?", sender=OTHER)
    system.settle()

    assert [word for word in system.twilio.bodies_to(OTHER) if "e eu?" in word]
    assert left(system, DIGITS, SECRET) == []


def test_who_did_it_is_in_the_audit_log_and_the_number_is_not(shop: System) -> None:
    forget(shop, "--yes", "--by", "Ana")
    shop.api()

    page = shop.http.get(shop.url + "/dashboard/audit").text

    assert "erase person" in page
    assert "Ana" in page
    assert "command line" in page
    assert "+55•••••••01" in page


def test_nothing_is_erased_without_a_word(shop: System) -> None:
    ended = forget(shop)

    assert ended.returncode == 1
    assert "say --yes" in ended.stderr
    assert shop.queue.get("her-ready") is not None


@pytest.mark.parametrize("command", ["forget", "export"])
def test_what_names_nobody_is_refused(shop: System, command: str) -> None:
    ended = shop.run(command, "whatsapp:")

    assert ended.returncode == 2
    assert "is no number" in ended.stderr


def test_of_somebody_unknown_nothing_is_erased(shop: System) -> None:
    ended = shop.run("forget", "+5511900009999", "--yes")

    assert (ended.returncode, ended.stdout) == (0, "Nothing was kept of them.\n")
    assert shop.queue.get("her-ready") is not None


# -- exporting -----------------------------------------------------------------------------------------


def test_all_that_is_kept_of_a_person_is_in_the_export(shop: System) -> None:
    ended = shop.run("export", "55 11 90000-7001", "--by", "Ana")

    assert ended.returncode == 0, ended.stderr
    assert ALIKE in ended.stderr, "a number that ends alike"
    document = json.loads(ended.stdout)
    assert document["contact"] == MARIA
    assert {each["contact"] for each in document["conversations"]} == {WHATSAPP, MARIA}
    for conversation in document["conversations"]:
        assert (conversation["mode"], conversation["mode_reason"]) == ("nobody", "opted out")
        assert conversation["metadata"] == {"fruta": SECRET}
        assert len(conversation["messages"]) == 8
        assert all(each["payload"]["Body"] == each["text"] for each in conversation["messages"])
        states = [reply["state"] for reply in conversation["replies"]]
        assert states == ["sent", "failed", "unknown", "cancelled", "sending", "pending"]
        assert conversation["messages"][0]["received_at"].endswith("+00:00")
        assert conversation["replies"][0]["prompt"] == f"user: {SECRET}"
        assert conversation["replies"][0]["tool_calls"][0]["result"] == SECRET
        assert sum(day["input_tokens"] for day in conversation["usage"]) == 600
        assert all(re.match(r"20\d\d-\d\d-\d\dT00:00", day["day"]) for day in conversation["usage"])
    found = {
        each["message_id"]: each for each in document["queue"] if not each["message_id"].startswith("send-")
    }
    assert set(found) == {
        "her-ready", "her-delayed", "her-process_ai_response", "her-record_delivery_status", "her-nonsense",
    }  # fmt: skip
    assert found["her-delayed"]["payload"]["args"] == [{"phone": MARIA, "item": SECRET}]
    assert found["her-process_ai_response"]["last_error"] == f"ValueError: {SECRET}"
    assert len(document["queue"]) == len(found) + 2, "the replies that are to be sent, too"
    assert [each["body"] for each in document["outbox"]] == [SECRET]
    if "REDIS_URL" in shop.settings:
        assert [each["payload"]["args"][0]["Body"] for each in document["spool"]] == [SECRET]


def test_an_export_is_its_owners_alone_and_overwrites_nothing(shop: System, tmp_path: Path) -> None:
    path = tmp_path / "maria.json"

    assert shop.run("export", MARIA, "--output", str(path)).returncode == 0

    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["contact"] == MARIA
    again = shop.run("export", MARIA, "--output", str(path))
    assert again.returncode == 1
    assert "name another file" in again.stderr
