"""A worker on BullMQ's queues that counts each job, and dies under lethal ones, as node/worker.mjs does."""

from __future__ import annotations

import os
import signal
import sys
import time

import dramatiq
import redis
from dramatiq import Worker

from brokers import BullMQBroker

#: How long a job takes, in seconds: long enough for two workers to share the queue.
TAKES_S = 0.005


def main(url: str, queue: str, lock_s: str) -> None:
    broker, server = BullMQBroker(url, lock_s=float(lock_s)), redis.Redis.from_url(url)

    @dramatiq.actor(broker=broker, queue_name=queue)
    def count(name: str) -> None:
        if server.srem("lethal", name):
            broker.backend.sync()  # what was done before is known to be done
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(TAKES_S)
        server.hincrby("done", name, 1)

    worker = Worker(broker, worker_threads=1, worker_timeout=100)
    worker.start()
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
