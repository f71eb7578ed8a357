"""A real cluster of Valkeys, each of which has its part of the slots."""

from __future__ import annotations

from collections.abc import Iterator
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
