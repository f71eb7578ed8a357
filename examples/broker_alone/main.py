"""Dramatiq on one SQLite file: results, a delay, a rate limit, a message that is stored once."""

from __future__ import annotations

import dramatiq
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.results import Results

from recado import SQLiteBroker, SQLiteRateLimiterBackend, SQLiteResultBackend

broker = SQLiteBroker("tasks.db")
broker.add_middleware(Results(backend=SQLiteResultBackend("tasks.db")))
dramatiq.set_broker(broker)

#: At most one at a time, in all processes together.
ONE_AT_A_TIME = ConcurrentRateLimiter(SQLiteRateLimiterBackend("tasks.db"), "printer", limit=1)


@dramatiq.actor(store_results=True, max_retries=3, min_backoff=100)
def add(a: int, b: int) -> int:
    return a + b


@dramatiq.actor(store_results=True, max_retries=20, min_backoff=50, max_backoff=200)
def print_label(text: str) -> str:
    with ONE_AT_A_TIME.acquire():  # raises where another one prints, and the message is tried again
        return f"[{text}]"


@dramatiq.actor(unique_for=60_000)
def remind(who: str) -> None:
    print(f"{who} is reminded, once a minute at most")


def main() -> None:
    now = add.send(3, 4)  # on disk when this returns
    soon = add.send_with_options(args=(5, 6), delay=300)  # milliseconds, kept in the file
    labels = [print_label.send(text) for text in ("um", "dois", "três")]
    for _ in range(3):
        remind.send_with_options(args=("Ana",), unique_key="remind-ana")

    worker = dramatiq.Worker(broker, worker_threads=4)
    worker.start()
    print("3 + 4 =", now.get_result(block=True))
    print("5 + 6 =", soon.get_result(block=True))
    print(*(label.get_result(block=True, timeout=30_000) for label in labels))
    broker.join("default", timeout=10_000)
    worker.stop()
    print("done:", sum(stats.done or 0 for stats in broker.backend.stats()))
    broker.close()


if __name__ == "__main__":
    main()
