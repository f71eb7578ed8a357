"""Whatever a key holds, or does not hold any more, no message suffers but the one whose own key it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import product
from typing import Any, NamedTuple, cast

import pytest
import redis

from brokers.records import DeadLetterFilter
from brokers.redis import RedisBackend, scripts
from brokers.redis.client import RedisClient
from brokers.redis.options import RedisOptions
from brokers.redis.scripts import Argument, Call, Script, encoded
from tests.support.redis_server import RedisServer

NAMESPACE = "lost"
BASE = f"{{{NAMESPACE}}}"

#: The time at which all happens, and a time at which all that is delayed is due.
NOW, LATER = 1_800_000_000_000, 1_800_000_900_000

#: What every id ends with: a NUL, a format, a glob, braces, and a byte that is no UTF-8.
HOSTILE = b"\x00%s*{}\n\xff"

QUEUE, PAUSED = "some", "paused"


def an_id(name: str) -> bytes:
    return name.encode() + HOSTILE


READY = [an_id(f"ready{n}") for n in range(3)]
DELAYED = [an_id("due soon"), an_id("due later")]
LIVING, DOOMED = [an_id("held0"), an_id("held1")], [an_id("suspect"), an_id("beside it")]
ON_PAUSE, DEAD = [an_id("on pause")], [an_id("dead0"), an_id("dead1")]
ALL = [*READY, *DELAYED, *LIVING, *DOOMED, *ON_PAUSE, *DEAD]


class Deed(NamedTuple):
    """One call of a script, amidst these messages.

    Attributes:
      script: the script.
      arguments: what it is called with.
      settles: the messages that may be gone after it.
      kills: those that it makes dead letters.
    """

    script: Script
    arguments: Sequence[Argument]
    settles: Sequence[bytes] = ()
    kills: Sequence[bytes] = ()


def a_new(message_id: bytes, queue: str = QUEUE, delay_ms: int = 0, unique_key: str = "") -> list[Argument]:
    return [message_id, queue, "work", b'{"queue_name":"some"}', 0, delay_ms, unique_key, 60_000, 0]


def as_it_was(message_id: bytes, state: str) -> list[Argument]:
    return [message_id, state, QUEUE, "work", b"{}", 0, 1, 0, NOW, NOW, "", "failed", NOW]


#: A call of each script.
DEEDS: Mapping[str, Deed] = {
    "ack": Deed(scripts.ACK, ["living", QUEUE, 1, 2, *LIVING], LIVING),
    "adopt": Deed(scripts.ADOPT, ["call", *as_it_was(READY[0], "ready"), *as_it_was(DEAD[0], "dead")]),
    "beat": Deed(scripts.BEAT, ["living", "host", 1, "then", 60_000, 6_000, 5, "it died"]),
    "judge": Deed(scripts.JUDGE, [5, "it died", "living", 1, "doomed", 0]),
    "check": Deed(scripts.CHECK, []),
    "claim": Deed(scripts.CLAIM, [LATER, QUEUE, "living", 3, 2, "host", 1]),
    "count_dead": Deed(scripts.COUNT_DEAD, [QUEUE, "", ""]),
    "discard": Deed(scripts.DISCARD, ["call", DEAD[0]], DEAD[:1]),
    "enqueue": Deed(
        scripts.ENQUEUE, [NOW, "call", *a_new(READY[0]), *a_new(an_id("a new one"), unique_key="u")]
    ),
    "find_dead": Deed(scripts.FIND_DEAD, [QUEUE, 0, 10, "work", "failed", "", "", "x", "x"]),
    "flush": Deed(scripts.FLUSH, [QUEUE], ALL),
    "get": Deed(scripts.GET, [READY[0]]),
    "holder_of": Deed(scripts.HOLDER_OF, [NOW, "u"]),
    "leave": Deed(scripts.LEAVE, ["living"]),
    "list ready": Deed(scripts.LIST, [QUEUE, "ready", 0, 10]),
    "list delayed": Deed(scripts.LIST, [QUEUE, "delayed", 0, 10]),
    "list running": Deed(scripts.LIST, [QUEUE, "running", 0, 10]),
    "list dead": Deed(scripts.LIST, [QUEUE, "dead", 0, 10]),
    "nack": Deed(scripts.NACK, [NOW, "living", QUEUE, 1, LIVING[0], "failed", "no"], kills=LIVING[:1]),
    "nothing": Deed(scripts.NOTHING, []),
    "now": Deed(scripts.NOW, [""]),
    "orphans": Deed(scripts.ORPHANS, [NOW, 1_000, 1, 15_000]),
    "pause": Deed(scripts.PAUSE, [QUEUE, 1]),
    "resume": Deed(scripts.PAUSE, [PAUSED, 0]),
    "release": Deed(
        scripts.RELEASE,
        [NOW, "living", 0, *(part for each in LIVING for part in (QUEUE, 1, each))],
    ),
    "remove": Deed(
        scripts.REMOVE,
        [READY[0], "ready", DELAYED[1], "delayed", DEAD[0], "dead"],
        [READY[0], DELAYED[1], DEAD[0]],
    ),
    "replay": Deed(scripts.REPLAY, [NOW, "call", DEAD[0], b"", 0]),
    "report_death": Deed(scripts.REPORT_DEATH, ["host", 2, 0, "it died"], kills=DOOMED[:1]),
    "retry": Deed(scripts.RETRY, [NOW, "living", QUEUE, 1, LIVING[0], "another", b"changed", 0, "no"]),
    "shards": Deed(scripts.SHARDS, [1]),
    "show_dead": Deed(scripts.SHOW_DEAD, DEAD),
    "stats": Deed(scripts.STATS, [NOW]),
    "unclaim": Deed(scripts.UNCLAIM, [NOW, "living", QUEUE, 1]),
}

Damage = Callable[[redis.Redis, bytes], object]


def truncate(client: redis.Redis, key: bytes) -> object:
    """Take out a part of what a key holds."""
    match client.type(key):
        case b"hash":
            return client.hdel(key, *sorted(client.hkeys(key))[::2])
        case b"zset":
            return client.zpopmin(key)
        case b"set":
            return client.spop(key)
        case _:
            return client.set(key, (client.get(key) or b"")[:3])


def spoil(client: redis.Redis, key: bytes) -> object:
    """Put other words in all of its places."""
    if client.type(key) == b"hash":
        return client.hset(key, mapping=dict.fromkeys(client.hkeys(key), b"\xff no number"))
    return client.set(key, b"\xff no number")


def retype(client: redis.Redis, key: bytes) -> object:
    """Have it hold something of a type that no script of ours writes."""
    client.delete(key)
    return client.rpush(key, "a list")


DAMAGES: Mapping[str, Damage] = {
    "lost": lambda client, key: client.delete(key),
    "truncated": truncate,
    "spoiled": spoil,
    "of another type": retype,
}


class Scene:
    """A namespace with a message in every state, on a server that this test has to itself."""

    def __init__(self, server: RedisServer, backend: RedisBackend) -> None:
        self.backend = backend
        self.client = redis.Redis.from_url(server.url)
        self._server = RedisClient(RedisOptions(server.url), base=BASE)
        self._arranged: dict[bytes, tuple[Any, Any]] = {}  # content, and time to live in ms

    def run(self, script: Script, arguments: Sequence[Argument]) -> Any:
        [answer] = self._server.run([Call(script, [encoded(each) for each in arguments])])
        assert not isinstance(answer, Exception), answer
        return answer

    def arrange(self) -> Sequence[bytes]:
        """Begin anew; returns every key there is."""
        if not self._arranged:
            self._act_the_beginning()
            for key in cast(list[bytes], self.client.keys("*")):
                if (content := self.client.dump(key)) is not None:  # some live for a moment only
                    self._arranged[key] = (content, self.client.pttl(key))
        with self.client.pipeline(transaction=False) as pipeline:
            pipeline.flushdb()
            for key, (content, ttl_ms) in self._arranged.items():
                pipeline.restore(key, max(ttl_ms, 0), content)
            pipeline.execute()
        return sorted(self._arranged)

    def _act_the_beginning(self) -> None:
        self.client.flushdb()
        for number, owner in enumerate(("living", "doomed"), start=1):
            self.run(scripts.BEAT, [owner, "host", number, "then", 60_000, 6_000, 5, "it died"])
            held = LIVING if owner == "living" else DOOMED
            self.run(scripts.ENQUEUE, [NOW, owner, *(part for each in held for part in a_new(each))])
            self.run(scripts.CLAIM, [NOW, QUEUE, owner, number, 10, "host", number])
        self.client.hset(f"{BASE}:started:doomed", "0", b"2:" + DOOMED[0])
        self.run(scripts.ENQUEUE, [NOW, "dead", *a_new(DEAD[0]), *a_new(DEAD[1])])
        self.run(scripts.CLAIM, [NOW, QUEUE, "living", 9, 10, "host", 1])
        for each in DEAD:
            self.run(scripts.NACK, [NOW, "living", QUEUE, 9, each, "failed", "x"])
        self.run(scripts.CLAIM, [NOW, QUEUE, "idle", 4, 1, "host", 3])
        new = [*a_new(READY[0]), *a_new(READY[1]), *a_new(READY[2], unique_key="u")]
        new += [*a_new(DELAYED[0], delay_ms=1_000), *a_new(DELAYED[1], delay_ms=11_000)]
        self.run(scripts.ENQUEUE, [NOW, "first", *new, *a_new(ON_PAUSE[0], PAUSED)])
        self.run(scripts.PAUSE, [PAUSED, 1])
        self.run(scripts.ORPHANS, [NOW, 1, 1, 15_000])

    def answered_and_told(self) -> tuple[set[bytes], set[bytes]]:
        """Let all processes die and a new one work: what it can run, and what is a dead letter."""
        for owner in ("living", "doomed"):
            self.run(scripts.LEAVE, [owner])
        for number in range(3):  # a message that is astray is noted at one look, and back after the next
            self.client.delete(f"{BASE}:looked", f"{BASE}:look-at")
            self.run(scripts.ORPHANS, [LATER + number * 20_000, 10_000, 1, 15_000])
        for queue in (QUEUE, PAUSED):
            self.backend.resume(queue)
        answered = {each for stats in self.backend.stats() for each in self._drained(stats.queue)}
        letters = self.backend.dead_letters(DeadLetterFilter(), limit=100)
        return answered, {letter.message_id.encode(errors="surrogateescape") for letter in letters}

    def _drained(self, queue: str) -> Iterator[bytes]:
        """What can be claimed of a queue, once what is not whole is out of the way."""
        while any(stats.ready for stats in self.backend.stats() if stats.queue == queue):
            for delivery in self.backend.dequeue(queue, limit=100, timeout_s=0):
                yield cast(bytes, delivery.receipt)
                self.backend.ack(delivery)
            self.backend.sync()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with (
        RedisServer(
            tmp_path_factory.mktemp("server"), "--appendonly", "no"
        ) as server,  # none of it is to last
        closing(
            RedisBackend(
                server.url,
                namespace=NAMESPACE,
                clock=lambda: LATER + 60_000,
                heartbeat_timeout_s=3_600,  # it looks at nothing by itself, by another clock
            )
        ) as backend,
    ):
        yield Scene(server, backend)


def test_there_is_a_deed_for_every_script() -> None:
    every = {name for name, value in vars(scripts).items() if isinstance(value, Script)}
    tried = {name for name in every if getattr(scripts, name) in {deed.script for deed in DEEDS.values()}}
    assert tried == every


def test_all_is_answered_or_told_where_nothing_is_lost(scene: Scene) -> None:
    scene.arrange()
    answered, told = scene.answered_and_told()
    assert (answered, told) == (set(ALL) - set(DEAD), set(DEAD))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("deed", DEEDS)
def test_only_the_message_suffers_whose_key_it_is(scene: Scene, deed: str, damage: str) -> None:
    script, arguments, settles, kills = DEEDS[deed]
    for key in scene.arrange():
        scene.arrange()
        DAMAGES[damage](scene.client, key)
        scene.run(script, arguments)

        answered, told = scene.answered_and_told()
        assert set(ALL) - set(settles) <= answered | told, key
        touched = {each for each in ALL if key.endswith(each)}
        assert told <= {*DEAD, *touched, *kills}, key


def test_there_are_so_many_cases(scene: Scene) -> None:
    """The property holds for more than a thousand; what has no case proves nothing."""
    assert len(list(product(DEEDS, DAMAGES, scene.arrange()))) > 1_000
