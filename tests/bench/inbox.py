"""How quick the inbox is with a shop's year in it: its pages, and what is searched for."""

from __future__ import annotations

import itertools
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import httpx

from actors.conversations import ConversationStore, SQLiteConversationStore
from actors.conversations.redis import RedisConversationStore
from brokers.clock import now_ms
from tests.support.conversations import ACCOUNT, ADDRESS, inbound

from . import apps
from .figures import Bar, Figure, figure, percentile
from .harness import Bench, Child, in_child
from .valkey import valkey

TITLE = "Inbox: its pages and its search, with 1,000,000 messages in 100,000 conversations on SQLite"

#: What people wait for without noticing, for a page and for a search, in milliseconds.
PAGE_MS, SEARCH_MS = 200.0, 500.0

#: How long a page may take at all, in seconds.
ANSWERED_WITHIN_S = 60.0

#: Of what texts are made: words of a shop, and as many others as a language has.
USUAL = (
    *("pedido", "entrega", "não", "hoje", "loja", "tamanho", "troca", "pix", "boleto", "quanto", "custa"),
    *("obrigada", "ação", "camisa", "azul", "prazo"),
)
OTHERS = [
    first + second + third
    for first in ("ba", "ci", "du", "fo", "ge", "li", "ma", "nu", "ro", "sa")
    for second in ("lan", "rei", "tos", "ves", "mir", "pal", "cor", "zen")
    for third in (
        "do",
        "ra",
        "te",
        "va",
        "xi",
        "nho",
        "ção",
        "mente",
        "l",
        "r",
        "m",
        "que",
        "gio",
        "bi",
        "fe",
    )
]

ADD_CONVERSATION = """
INSERT INTO conversation (key, account_sid, contact, address, created_at, last_at, mode, name, called,
                          heard_at, seen_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

ADD_MESSAGE = """
INSERT INTO inbound_message (conversation, account_sid, message_sid, body, payload, received_at, reply_id)
VALUES (?, ?, ?, ?, '{}', ?, ?)
"""

ADD_REPLY = """
INSERT INTO reply (reply_id, conversation, body, kind, state, received_at, written_at)
VALUES (?, ?, ?, 'answer', ?, ?, ?)
"""

NAMES = ("Ana", "Beatriz", "Caio", "Débora", "João", "Lúcia", "Otávio", "Zélia")


@dataclass(frozen=True, slots=True)
class Sizes:
    """What was said, and how it is looked at."""

    conversations: int
    turns: int  # of each conversation: a message and its reply
    samples: int


def measure(bench: Bench) -> list[Figure]:
    figures = []
    on_sqlite = bench.size(Sizes(100_000, 5, samples=40), Sizes(300, 2, samples=3))
    on_redis = bench.size(Sizes(10_000, 2, samples=40), Sizes(100, 2, samples=3))
    bench.say(f"SQLite: {on_sqlite.conversations:,} conversations, each page {on_sqlite.samples} times")
    with bench.directory() as directory:
        indexed_s = in_child(_fill_sqlite, directory, on_sqlite)
        figures += _figures("SQLite", directory, {}, on_sqlite)
    texts = 2 * on_sqlite.conversations * on_sqlite.turns
    figures.append(figure("SQLite: words put in, texts/s", "/s", [texts / indexed_s]))
    bench.say(f"Redis: {on_redis.conversations:,} conversations, each page {on_redis.samples} times")
    with bench.directory() as directory, valkey(directory, aof="always") as url:
        in_child(_fill_redis, url, on_redis)
        figures += _figures("Redis", directory, {"QUEUE_BACKEND": "redis", "REDIS_URL": url}, on_redis)
    return figures


def _figures(engine: str, directory: Path, settings: Mapping[str, str], sizes: Sizes) -> list[Figure]:
    with ExitStack() as stack:
        api = stack.enter_context(Child(apps.serve, "recado", directory, settings))
        http = stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{api.result()}",
                timeout=ANSWERED_WITHIN_S,
                headers={"Sec-Fetch-Site": "same-origin"},
            )
        )
        pages = {name: _waits_ms(partial(http.get, path), sizes) for name, path in _pages(http).items()}
        searches = {name: _waits_ms(_search(http, text), sizes) for name, text in _searches(sizes).items()}
    return [
        *_of(engine, pages, PAGE_MS),
        *_of(engine, searches, SEARCH_MS),
    ]


def _of(engine: str, waits: Mapping[str, list[float]], most_ms: float) -> Iterator[Figure]:
    bar = Bar("at most", most_ms, of="figure")
    for name, found in waits.items():
        yield figure(f"{engine}: {name}", "ms", [statistics.median(found)])
        yield figure(f"{engine}: {name}, p95", "ms", [percentile(found, percent=95)], bar=bar)


def _pages(http: httpx.Client) -> dict[str, str]:
    """Every list, a page in the middle, and a conversation."""
    list_ = http.get("/dashboard/conversations").text
    found = re.search(r'href="(/dashboard/conversations/AC[^"?]+)"', list_)
    deeper = re.search(r'href="(/dashboard/conversations\?which=[^"]+)"[^>]*>Earlier', list_)
    assert found is not None
    assert deeper is not None
    lists = ("waiting", "unread", "person", "assistant", "nobody", "undelivered")
    return {
        "all": "/dashboard/conversations",
        "all, the page after": deeper[1].replace("&amp;", "&"),
        **{which: f"/dashboard/conversations?which={which}" for which in lists},
        "a conversation": found[1],
        "a conversation, at a time": f"{found[1]}?around=1",
        "attention": "/dashboard/attention",
    }


def _searches(sizes: Sizes) -> dict[str, str]:
    return {
        "search: a usual word": "entrega",
        "search: two words": "troca camisa",
        "search: a rare word": OTHERS[17],
        "search: nothing like that": "inexistente",
        "search: a name": "zélia",
        "search: a number": _contact(sizes.conversations // 2).removeprefix("whatsapp:"),
    }


def _search(http: httpx.Client, text: str) -> Callable[[], httpx.Response]:
    token = re.search(r'name="token" value="([^"]+)"', http.get("/dashboard/conversations").text)
    assert token is not None
    return partial(http.post, "/dashboard/conversations/search", data={"token": token[1], "text": text})


def _waits_ms(ask: Callable[[], httpx.Response], sizes: Sizes) -> list[float]:
    waits = []
    for _ in range(sizes.samples):
        began = time.perf_counter()
        answer = ask()
        waits.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
    return waits


def _contact(number: int) -> str:
    return f"whatsapp:+55119{number:08}"


def _text(chance: random.Random) -> str:
    return " ".join([*chance.sample(USUAL, 4), *chance.choices(OTHERS, k=4)])


def _mode(number: int) -> str:
    """In one conversation of twenty a person answers, and in one of two hundred nobody."""
    return "nobody" if number % 200 == 7 else "person" if number % 20 == 3 else "assistant"


def _fill_sqlite(directory: Path, sizes: Sizes) -> float:
    """Fill a file as the store would have; return how many seconds it took to put in the words."""
    path = directory / "conversations.db"
    with closing(SQLiteConversationStore(path)) as store:
        store.reader.summary("")  # makes the tables
        connection = apsw.Connection(str(path))
        for statement, rows in _rows(sizes):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, rows)
            connection.execute("COMMIT")
        connection.close()
        began = time.perf_counter()
        while not store.search.catch_up(within_s=5.0):
            pass
        return time.perf_counter() - began


def _rows(sizes: Sizes) -> Iterator[tuple[str, Iterator[Any]]]:
    now = now_ms()
    chance = random.Random(1)  # noqa: S311  the same texts each time
    numbers = range(sizes.conversations)
    step_ms = 30 * 86_400_000 // (sizes.conversations * sizes.turns)

    def key(number: int) -> str:
        return f"{ACCOUNT}|{ADDRESS}|{_contact(number)}"

    def at(number: int, turn: int) -> int:
        return now - ((sizes.turns - turn) * sizes.conversations - number) * step_ms

    conversations = (
        (
            *(key(n), ACCOUNT, _contact(n), ADDRESS, at(n, 0), at(n, sizes.turns - 1), _mode(n)),
            *(NAMES[n % 8], NAMES[n % 8].lower(), at(n, sizes.turns - 1), 0 if n % 10 == 0 else now),
        )
        for n in numbers
    )
    yield ADD_CONVERSATION, conversations
    turns = list(itertools.product(range(sizes.turns), numbers))
    yield (
        ADD_MESSAGE,
        (
            (key(n), ACCOUNT, f"SM{turn:04}{n:028}", _text(chance), at(n, turn), f"r{turn}-{n}")
            for turn, n in turns
        ),
    )
    yield (
        ADD_REPLY,
        (
            (f"r{turn}-{n}", key(n), _text(chance), _state(n, turn), at(n, turn), at(n, turn) + 3_000)
            for turn, n in turns
        ),
    )


def _state(number: int, turn: int) -> str:
    """Of five hundred replies one is not delivered."""
    return "undelivered" if number % 100 == turn == 1 else "sent"


def _fill_redis(url: str, sizes: Sizes) -> None:
    chance = random.Random(1)  # noqa: S311
    store: ConversationStore = RedisConversationStore(url)

    def fill(number: int) -> None:
        for turn in range(sizes.turns):
            message = inbound(
                _text(chance),
                sid=f"SM{turn:04}{number:028}",
                contact=_contact(number),
                ProfileName=NAMES[number % 8],
            )
            store.append(message, received_at=now_ms())
            store.write(message.conversation, f"r{turn}-{number}", _text(chance), kind="answer",
                        answers=message.message_id)  # fmt: skip
        if number % 10:
            store.see(message.conversation)
        if (mode := _mode(number)) != "assistant":
            store.set_mode(message.conversation, mode, "")  # type: ignore[arg-type]

    with closing(store), ThreadPoolExecutor(16) as threads:
        list(threads.map(fill, range(sizes.conversations)))
