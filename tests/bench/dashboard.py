"""How quick the dashboard's pages are with a million messages in a queue, and what they cost the workers."""

from __future__ import annotations

import itertools
import re
import statistics
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import httpx
from dramatiq import Worker

from brokers.cached_stats import MAX_AGE_S
from brokers.clock import now_ms
from brokers.durable import DurableBroker
from brokers.records import State, StoredMessage

from . import apps
from .contenders import BODY, QUEUE, THREADS, Kind, declare, message_for, open_broker
from .figures import Bar, Figure, figure, percentile
from .harness import Bench, BenchError, Child, in_child
from .valkey import valkey

TITLE = "Dashboard: its pages, with a full queue behind them"

#: What people wait for without noticing, in milliseconds.
PAGE_MS = 200.0

#: What Prometheus may keep a machine busy with at each of its visits, in milliseconds, and how many are made.
SCRAPE_MS = 50.0
SCRAPES = 6

#: How often a worker's rate is measured, with the dashboard open and without.
TURNS = 7

AN_HOUR_MS = 3_600_000

#: How many messages are stored together.
AT_ONCE = 1_000

#: How long a page may take at all, in seconds.
ANSWERED_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What lies in the engine, and how it is looked at."""

    ready: int
    delayed: int
    dead: int
    elsewhere: int  # in another queue
    samples: int  # of each page
    turns_s: float  # for which workers work, with the dashboard open and without


@dataclass(frozen=True, slots=True)
class Place:
    """Where messages wait.

    Attributes:
      engine: its name.
      kind: of the broker.
      where: the database file, or the server's URL.
      settings: of an API that uses it.
    """

    engine: str
    kind: Kind
    where: str
    settings: Mapping[str, str]


def measure(bench: Bench) -> list[Figure]:
    full = Sizes(1_000_000, 100_000, 100_000, 20_000, samples=40, turns_s=3.0)
    sizes = bench.size(full, Sizes(20_000, 500, 500, 100, samples=5, turns_s=0.1))
    figures = []
    for engine in ("SQLite", "Redis"):
        bench.say(f"{engine}: {sizes.ready:,} messages, each page {sizes.samples} times, then the workers")
        with bench.directory() as directory, _place(engine, directory) as place:
            in_child(_fill, place, sizes)
            figures += _figures(bench, sizes, directory, place)
    return figures


def _figures(bench: Bench, sizes: Sizes, directory: Path, place: Place) -> list[Figure]:
    with ExitStack() as stack:
        api = stack.enter_context(Child(apps.serve, "recado", directory, place.settings))
        base_url = f"http://127.0.0.1:{api.result()}"
        http = stack.enter_context(httpx.Client(base_url=base_url, timeout=ANSWERED_WITHIN_S))
        waits = {name: _waits_ms(http, path, sizes.samples) for name, path in _pages(http, sizes).items()}
        scrapes = [_scrape_ms(http, bench.size(MAX_AGE_S, 0.0)) for _ in range(SCRAPES)]
        worker = stack.enter_context(Child(_work, place))
        worker.result()
        rates: dict[str, list[float]] = {"open": [], "closed": []}
        for number in range(bench.size(TURNS, 2)):
            # The queue gets shorter, and the work lighter: they take turns at going first.
            for each in ("closed", "open") if number % 2 else ("open", "closed"):
                with _open(base_url) if each == "open" else nullcontext():
                    rates[each].append(_rate(worker, sizes.turns_s))
    bar = Bar("at most", PAGE_MS, of="figure")
    medians, p95s = (
        {name: [of(each)] for name, each in waits.items()}
        for of in (statistics.median, partial(percentile, percent=95))
    )
    return [
        *(figure(f"{place.engine}: {name}", "ms", found) for name, found in medians.items()),
        *(figure(f"{place.engine}: {name}, p95", "ms", found, bar=bar) for name, found in p95s.items()),
        figure(
            f"{place.engine}: slowest scrape of /metrics",
            "ms",
            scrapes,
            bar=Bar("at most", SCRAPE_MS, of="figure"),
            of=max,
        ),
        figure(
            f"{place.engine}: messages/s of a worker, a dashboard open",
            "/s",
            rates["open"],
            peer="none open",
            theirs=rates["closed"],
            bar=Bar("at least", 0.95),
        ),
    ]


@contextmanager
def _place(engine: str, directory: Path) -> Iterator[Place]:
    if engine == "SQLite":
        yield Place(engine, "recado", str(directory / "queue.db"), {})
    else:
        with valkey(directory, aof="everysec") as url:
            yield Place(engine, "recado-redis", url, {"QUEUE_BACKEND": "redis", "REDIS_URL": url})


def _pages(http: httpx.Client, sizes: Sizes) -> dict[str, str]:
    """Every page, and those of a list that cost the most."""
    queue = f"/dashboard/queues/{QUEUE}"
    live, dead = (_first_message(http, path) for path in (queue, "/dashboard/dead-letters"))
    return {
        "overview": "/dashboard/",
        "queue": queue,
        "queue, last page": f"{queue}?from={sizes.ready - 50}",
        "queue, delayed": f"{queue}?state=delayed",
        "queue, running": f"{queue}?state=running",
        "queue, by actor": f"{queue}?actor=nobody",
        "queue, by text, near the end": f"{queue}?text=nowhere&from={sizes.ready - 5_000}",
        "message": live,
        "dead letter": dead,
        "dead letters": "/dashboard/dead-letters",
        "dead letters, last page": f"/dashboard/dead-letters?queue={QUEUE}&from={sizes.dead - 50}",
        "dead letters, by reason": f"/dashboard/dead-letters?queue={QUEUE}&reason=expired",
        "dead letters, by text": "/dashboard/dead-letters?text=nowhere",
        "conversations": "/dashboard/conversations",
        "audit": "/dashboard/audit",
    }


def _first_message(http: httpx.Client, path: str) -> str:
    found = re.search(r'href="(/dashboard/messages/[^"]+)"', http.get(path).text)
    assert found is not None, path
    return found[1]


def _waits_ms(http: httpx.Client, path: str, samples: int) -> list[float]:
    waits = []
    for _ in range(samples):
        began = time.perf_counter()
        answer = http.get(path)
        waits.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    return waits


def _scrape_ms(http: httpx.Client, pause_s: float) -> float:
    """One visit of Prometheus, so long after the last that everything is counted anew."""
    time.sleep(pause_s)
    [wait_ms] = _waits_ms(http, "/metrics", 1)
    return wait_ms


@contextmanager
def _open(base_url: str) -> Iterator[None]:
    """Somebody has the overview open, and turns to the queue now and then."""
    stopping = threading.Event()

    def follow() -> None:
        with httpx.stream(
            "GET", f"{base_url}/dashboard/events?of=overview", timeout=ANSWERED_WITHIN_S
        ) as told:
            for _ in told.iter_lines():
                if stopping.is_set():
                    return

    def turn_pages() -> None:
        with httpx.Client(base_url=base_url, timeout=ANSWERED_WITHIN_S) as http:
            for path in itertools.cycle(("/dashboard/", f"/dashboard/queues/{QUEUE}")):
                http.get(path)
                if stopping.wait(2.0):
                    return

    threads = [threading.Thread(target=each) for each in (follow, turn_pages)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _rate(worker: Child, seconds: float) -> float:
    """Messages/s that a worker did for so long."""
    worker.send(seconds)
    per_second, left = worker.result()
    if not left:
        raise BenchError("the worker ran out of messages: what it did is no rate")
    return float(per_second)


def _work(channel: Connection, place: Place) -> None:
    """A worker that does nothing with each message, and tells how many that were, and how many are left.

    Between its turns the queue is paused: what opens and closes a dashboard takes time too.
    """
    broker, done = open_broker(place.kind, place.where), itertools.count()
    backend = cast(DurableBroker, broker).backend

    def nothing(_body: str) -> None:
        next(done)

    declare(broker, nothing)
    backend.pause(QUEUE)
    Worker(broker, worker_threads=THREADS).start()
    channel.send("ready")
    while True:
        seconds: float = channel.recv()
        backend.resume(QUEUE)
        before, began = next(done), time.perf_counter()
        time.sleep(seconds)
        per_second = (next(done) - before - 1) / (time.perf_counter() - began)
        backend.pause(QUEUE)
        channel.send((per_second, next(each.ready for each in backend.stats() if each.queue == QUEUE)))


def _fill(place: Place, sizes: Sizes) -> None:
    broker = cast(DurableBroker, open_broker(place.kind, place.where))
    with closing(broker):
        for messages in (
            _messages(sizes.dead, "dead"),
            _messages(sizes.delayed, "delayed"),
            _messages(sizes.elsewhere, "ready", queue="elsewhere"),
            _messages(sizes.ready, "ready"),
        ):
            while chunk := list(itertools.islice(messages, AT_ONCE)):
                broker.backend.adopt(chunk)


def _messages(count: int, state: State, *, queue: str = QUEUE) -> Iterator[StoredMessage]:
    now = now_ms()
    is_dead = state == "dead"
    for number in range(count):
        due_at = now + AN_HOUR_MS if state == "delayed" else now - count + number
        yield StoredMessage(
            message_id=str(uuid.uuid4()),
            queue=queue,
            actor="nothing",
            state=state,
            payload=message_for("nothing", BODY).encode(),
            priority=0,
            deliveries=1 if is_dead else 0,
            crashes=0,
            enqueued_at=now - count + number,
            due_at=due_at,
            last_error="ValueError: no" if is_dead else None,
            reason="failed" if is_dead else None,
            died_at=due_at if is_dead else None,
        )
