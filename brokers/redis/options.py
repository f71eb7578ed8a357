"""How to reach a Redis server, and what to expect of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: What a change that has to last waits for.
Durability = Literal["wait", "require", "waive"]

#: Host and port.
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """A server, as one value that the queue and the conversations share.

    Attributes:
      url: `redis://`, `rediss://` (TLS) or `unix://`; several, separated by commas, are tried in turn. Of a
        cluster, any node will do.
      durability: `wait` for the server's file where it can tell (Redis 7.2 and Valkey can), and warn where
        not; `require` that it can; or `waive` the wait.
      sentinels: addresses of Sentinels that know the master; the URL then gives user, password and database
        only.
      sentinel_master: the name they know it by.
      timeout_s: how long to wait for a connection or an answer, in seconds.
    """

    url: str
    durability: Durability = "wait"
    sentinels: Sequence[Address] = ()
    sentinel_master: str = "mymaster"
    timeout_s: float = 5.0

    @classmethod
    def of(cls, server: RedisOptions | str) -> RedisOptions:
        """Return options, or those of a server of which only the URL is given."""
        return cls(server) if isinstance(server, str) else server
