"""Asks a Node service for an invoice. No actor is declared: no worker of Python's is to run this queue."""

from __future__ import annotations

import os
import sys

from dramatiq import Message

from recado import BullMQBroker


def main() -> None:
    broker = BullMQBroker(os.environ["REDIS_URL"], prefix=os.environ.get("BULLMQ_PREFIX", "bull"))
    broker.declare_queue("invoices")
    message = Message(
        queue_name="invoices",
        actor_name="invoice",
        args=(sys.argv[1],),
        kwargs={"total": sys.argv[2]},
        options={},
    )
    broker.enqueue(message)
    print(f"job {message.message_id} is in queue {message.queue_name}")
    broker.close()


if __name__ == "__main__":
    main()
