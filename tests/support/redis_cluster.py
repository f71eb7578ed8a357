"""A real cluster of Valkeys, each of which has its part of the slots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .ports import free_port
from .redis_server import RedisServer, ask
from .waiting import eventually

SLOTS = 16_384


@contextmanager
def redis_cluster(directory: Path, nodes: int = 3) -> Iterator[list[RedisServer]]:
    """Start one, without replicas: a node that is gone takes its slots with it, and the others go on."""
    with ExitStack() as stack:
        buses = [free_port() for _ in range(nodes)]  # usually 10,000 above the other port, which may be taken
        servers = []
        for number, bus in enumerate(buses):
            place = directory / f"node-{number}"
            place.mkdir(parents=True)
            options = {
                "enabled": "yes",
                "node-timeout": "15000",
                "port": str(bus),
                "require-full-coverage": "no",
            }
            arguments = [part for name, value in options.items() for part in (f"--cluster-{name}", value)]
            servers.append(stack.enter_context(RedisServer(place, *arguments)))
        bounds = [SLOTS * number // nodes for number in range(nodes + 1)]
        for server, first, beyond in zip(servers, bounds, bounds[1:], strict=False):
            assert ask(server.port, "CLUSTER", "ADDSLOTSRANGE", first, beyond - 1) in {True, b"OK"}
            ask(server.port, "CLUSTER", "MEET", "127.0.0.1", servers[0].port, buses[0])
        for server in servers:
            eventually(lambda port=server.port: _knows_all(port, nodes))  # type: ignore[misc]
        yield servers


def _knows_all(port: int, nodes: int) -> bool:
    told = str(ask(port, "CLUSTER", "INFO"))
    wanted = ("cluster_state:ok", f"cluster_known_nodes:{nodes}", f"cluster_slots_ok:{SLOTS}")
    return all(each in told for each in wanted)


def move_slots(source: RedisServer, target: RedisServer, slots: Iterable[int]) -> Iterator[bytes]:
    """Move slots from one node to another, key by key, as every cluster before Valkey 9 does it.

    Yields each key that has moved: between two the slot is on both nodes. The steps are those of
    https://redis.io/docs/latest/commands/cluster-setslot/.
    """
    source_id, target_id = (ask(node.port, "CLUSTER", "MYID") for node in (source, target))
    for slot in slots:
        _must(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        _must(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        while keys := ask(source.port, "CLUSTER", "GETKEYSINSLOT", slot, 10):
            for each in keys:
                _must(source, "MIGRATE", "127.0.0.1", target.port, each, 0, 10_000)
                yield each
        for node in (target, source):
            _must(node, "CLUSTER", "SETSLOT", slot, "NODE", target_id)


def move_slots_at_once(source: RedisServer, target: RedisServer, slots: Iterable[int]) -> Iterator[bytes]:
    """Move slots from one node to another as Valkey 9 does it: the source keeps them until all are there.

    Yields each slot that has moved. The steps are those of https://valkey.io/topics/atomic-slot-migration/.
    """
    target_id = ask(target.port, "CLUSTER", "MYID")
    for slot in slots:
        _must(source, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target_id)
        eventually(lambda slot=slot: _has_slot(target, slot))  # type: ignore[misc]
        yield b"%d" % slot


def _has_slot(node: RedisServer, slot: int) -> bool:
    own = next(line for line in ask(node.port, "CLUSTER", "NODES").decode().splitlines() if "myself" in line)
    ranges = [each.split("-") for each in own.split()[8:] if not each.startswith("[")]
    return any(int(first[0]) <= slot <= int(first[-1]) for first in ranges)


def _must(node: RedisServer, *command: str | int) -> None:
    answer = ask(node.port, *command)
    assert not isinstance(answer, Exception), (command, answer)
