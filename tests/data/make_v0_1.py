"""Makes the files of version 0.1 in tests/data/v0_1.

It was run once, with the code of 0.1 on the path, in an empty directory:

    PYTHONPATH=<a checkout of 0.1> python make_v0_1.py <where to> <the URL of an empty Redis>

The messages and numbers are made up. Nothing in here runs in a test.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import redis
from dramatiq import Message

from actors.conversations import SQLiteConversationStore
from actors.conversations.redis import RedisConversationStore
from actors.messages import InboundMessage
from brokers.records import QueueMessage
from brokers.redis import RedisBackend
from brokers.sqlite import SQLiteBackend

ACCOUNT = "AC" + "1" * 32
ADDRESS = "whatsapp:+15005550006"

#: The states of replies, each with the contact whose conversation has one.
STATES = ("pending", "sending", "sent", "delivered", "failed", "unknown")


def contact(number: int) -> str:
    return f"whatsapp:+55119000000{number:02d}"


def inbound(text: str, number: int, sid: int) -> InboundMessage:
    return InboundMessage.from_twilio(
        {
            "AccountSid": ACCOUNT,
            "MessageSid": f"SM{sid:032x}",
            "From": contact(number),
            "To": ADDRESS,
            "Body": text,
            "NumMedia": "0",
            "ProfileName": "Ana",
        }
    )


def queue_message(actor: str, queue: str, *args: Any, message_id: str, delay_ms: int = 0) -> QueueMessage:
    message: Message[Any] = Message(queue, actor, args, {}, {}, message_id=message_id)
    return QueueMessage(message_id, queue, actor, message.encode(), delay_ms=delay_ms)


def converse(store: Any) -> None:
    """A conversation for each state of a reply; one that waits; one of which a message was set aside."""
    for number, state in enumerate(STATES):
        message = inbound(f"Pergunta {number}", number, number)
        store.append(message, received_at=1_764_000_000_000 + number)
        hold = store.hold(message.conversation, "message", is_live=lambda _: True)
        reply = store.answer(hold, store.turn(hold, history_limit=5), f"Resposta {number}", kind="answer", tokens=7)
        store.release(hold, unless_more=False)
        if state != "pending":
            store.begin_sending(reply.reply_id)
        match state:
            case "sent":
                store.record_sent(reply.reply_id, "SM" + "a" * 32)
            case "delivered":
                store.record_delivery(reply.reply_id, sid="SM" + "b" * 32, status="delivered", error=None)
            case "failed":
                store.record_not_sent(reply.reply_id, "Twilio answered 400, error 21211", final=True)
            case "unknown":
                store.record_unknown(reply.reply_id, "no answer")
    store.append(inbound("Ainda sem resposta", 10, 10), received_at=1_764_000_000_010)
    aside = inbound("Esta falhou", 11, 11)
    store.append(aside, received_at=1_764_000_000_011)
    store.set_aside(aside)


def fill(queue: Any, waiting: InboundMessage, fresh: InboundMessage) -> None:
    """Messages in every state but running: that one is left to a process that is killed."""
    aside = inbound("Esta falhou", 11, 11)
    queue.enqueue(
        queue_message("process_ai_response", "messages", dict(aside.payload), message_id=aside.message_id)
    )
    [claimed] = [
        each
        for each in queue.dequeue("messages", limit=5, timeout_s=5)
        if each.message_id == aside.message_id or queue.release([each])
    ]
    queue.nack(claimed, reason="failed", error="Traceback: made up")
    queue.enqueue(
        queue_message("process_ai_response", "messages", dict(waiting.payload), message_id=waiting.message_id)
    )
    queue.enqueue(
        queue_message(
            "process_ai_response", "messages", dict(fresh.payload), message_id=fresh.message_id, delay_ms=50
        )
    )
    queue.enqueue(queue_message("nobody_knows_me", "messages", "x", message_id="an-unknown-actor"))


def run_and_die(make: Any) -> None:
    """In a child: claim a message, begin to run it, and be killed."""
    pid = os.fork()
    if pid == 0:
        queue = make()
        running = inbound("Esta rodava", 12, 12)
        queue.enqueue(
            queue_message("process_ai_response", "messages", dict(running.payload), message_id=running.message_id)
        )
        [claimed] = queue.dequeue("messages", limit=1, timeout_s=5)
        queue.started(claimed)
        queue.sync()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


def dumped(client: Any) -> list[list[Any]]:
    """Commands that make every key anew, in the server's own words, arguments in base64."""
    commands: list[list[Any]] = []
    for key in sorted(client.keys("*")):
        kind = client.type(key).decode()
        match kind:
            case "string":
                commands.append(["SET", key, client.get(key)])
            case "hash":
                commands.append(["HSET", key, *(each for pair in client.hgetall(key).items() for each in pair)])
            case "zset":
                pairs = client.zrange(key, 0, -1, withscores=True)
                commands.append(["ZADD", key, *(each for name, score in pairs for each in (repr(score), name))])
            case "set":
                commands.append(["SADD", key, *sorted(client.smembers(key))])
            case "list":
                commands.append(["RPUSH", key, *client.lrange(key, 0, -1)])
    return [
        [base64.b64encode(each if isinstance(each, bytes) else str(each).encode()).decode() for each in command]
        for command in commands
    ]


def make(target: Path, url: str) -> None:
    """Make all files; the server at `url` is empty, and has what they have when this returns."""
    for queue in (SQLiteBackend(target / "queue.db"), RedisBackend(url)):
        with closing(queue):
            fill(queue, inbound("Ainda sem resposta", 10, 10), inbound("Nova", 13, 13))
            queue.sync()
    run_and_die(lambda: SQLiteBackend(target / "queue.db"))
    run_and_die(lambda: RedisBackend(url))
    for store in (SQLiteConversationStore(target / "conversations.db"), RedisConversationStore(url)):
        with closing(store):
            converse(store)
    lines = "\n".join(map(json.dumps, dumped(redis.Redis.from_url(url))))
    (target / "redis.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2])
