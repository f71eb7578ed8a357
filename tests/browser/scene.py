"""A system with a day's work in it, for browsers to look at."""

from __future__ import annotations

from pathlib import Path

from dramatiq import Message

from actors.conversations import Summary
from brokers.records import QueueMessage
from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import Stage
from tests.support.system import PATIENCE_S
from tests.support.waiting import eventually

#: Somebody who talks to the shop for a while, and somebody whom it cannot help.
MARIA, JOAO = "whatsapp:+5511900001234", "whatsapp:+5511900005678"

#: What Maria writes, a turn at a time, and what Twilio says of the answers.
TALK = (
    (("Oi, tudo bem?", "Vocês abrem no domingo?"), "read"),
    (("Ótimo! E quanto custa a entrega?",), "read"),
    (("Dá para pagar com pix? Meu número para contato é +5511900001234",), "delivered"),
    (("Perfeito, obrigada!",), "delivered"),
)

HOUR_MS = 3_600_000


def scene(directory: Path, twilio: FakeTwilio, **settings: str) -> Stage:
    """A stage for it; nothing runs on it yet."""
    metrics = directory / "metrics"
    metrics.mkdir()
    defaults = {
        "AI_PROVIDER": "tests.browser.attendant:attendant",
        "AI_KEEP_PROMPTS": "true",
        "AI_PRICES": '{"attendant": {"input": 25.0, "output": 200.0}}',
        "SEGMENT_PRICES": '{"whatsapp": 0.005}',
        "BUDGET_PER_DAY": "20",
        "HEARTBEAT_INTERVAL_S": "0.25",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "WORKERS": "2",
        "REPLY_GATHER_MS": "250",
        "WORKER_THREADS": "4",
    }
    return Stage(directory, twilio, **{**defaults, **settings})


def start(stage: Stage) -> None:
    """Start the system."""
    stage.up("--module", "tests.browser.shop")


def furnish(stage: Stage, *, receipts: int = 6) -> None:
    """Let things happen: a talk, a refusal, work that fails, work that waits."""
    for texts, status in TALK:
        for text in texts:
            stage.write(text, sender=MARIA)
        stage.settle()
        for message in stage.twilio.sent_to(MARIA):
            if message.status == "queued":
                stage.twilio.report(message, status, through=stage.url)
        stage.settle()
    stage.write("Qual receita de remédio vocês recomendam para dor de cabeça?", sender=JOAO)
    for number in range(receipts):
        order = {"order": f"2026-{number:04}", "phone": f"+551190000{number:04}", "total": "R$ 89,90"}
        put(stage, "receipts", "send_receipt", order if number % 2 else {**order, "cpf": "000.000.000-00"})
    stage.settle()
    for day in range(3):
        put(stage, "reports", "daily_report", f"2026-12-0{day + 1}", delay_ms=(day + 1) * 6 * HOUR_MS)
    eventually(lambda: dead_letters(stage) == 1 + receipts // 2, within_s=PATIENCE_S)


def put(stage: Stage, queue: str, actor: str, *arguments: object, delay_ms: int = 0) -> str:
    """Put a message into a queue; returns its id."""
    message: Message[object] = Message(
        queue_name=queue, actor_name=actor, args=arguments, kwargs={}, options={}
    )
    stored = QueueMessage(message.message_id, queue, actor, message.encode(), delay_ms=delay_ms)
    assert stage.queue.enqueue(stored)
    return message.message_id


def dead_letters(stage: Stage) -> int:
    return len(stage.dead_letters())


def conversation_with(stage: Stage, contact: str) -> Summary:
    [summary] = stage.conversations.reader.conversations(contact=contact)
    return summary
