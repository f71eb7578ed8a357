"""What the server does for durability, and what could be lost where it does not."""

from __future__ import annotations

import logging
from typing import Any

import redis

from ..errors import EngineError, NotDurable
from .client import Command, RedisClient, explained
from .options import Durability

logger = logging.getLogger(__name__)

#: wait: where the server can tell, an enqueue returns when the message is in its file; where not, a warning.

#: How long the server may take to sync its file, in milliseconds. With `appendfsync everysec` it is a second.
FSYNC_WITHIN_MS = 4_000


class Fsync:
    """Waits for the server's file, as far as the server has one.

    Parameters:
      server: the server.
      durability: what is asked of it.
    """

    def __init__(self, server: RedisClient, durability: Durability) -> None:
        self._server = server
        self._durability = durability
        self._warned = False
        self._has_looked = False

    def command(self) -> list[Command]:
        """What to send after a write."""
        return [] if self._durability == "waive" else [("WAITAOF", 1, 0, FSYNC_WITHIN_MS)]

    def judge(self, answers: list[Any]) -> None:
        """Look at the answer to that.

        Raises:
          EngineError: what was written may not survive a power cut.
        """
        for answer in answers:
            if isinstance(answer, redis.ResponseError):
                if not _means_never(answer):
                    raise explained(answer)
                self._cannot(str(answer))
            elif answer[0] < 1:
                raise EngineError(f"Redis did not sync its file within {FSYNC_WITHIN_MS / 1000:g} s")

    def _cannot(self, why: str) -> None:
        if self._durability == "require":
            raise NotDurable(
                f"Redis cannot wait for its append-only file ({why}), and that is required. Run Redis 7.2 "
                "or Valkey with `appendonly yes`, or do not require it."
            )
        if not self._warned:
            self._warned = True
            logger.warning(
                "Redis cannot wait for its append-only file (%s): when it crashes or loses power, messages "
                "of the last second that were accepted, or all since its last snapshot, may be lost. Run "
                "Redis 7.2 or Valkey with `appendonly yes`.",
                why,
            )

    def _syncs_now_and_then(self) -> None:
        """Not all servers wait then: Valkey 9.1 answers at once (see redis/redis#13793)."""
        if self._durability == "require":
            raise NotDurable(
                "Redis syncs its append-only file now and then, and may say so too early. Durability is "
                "required: set `appendfsync always`."
            )
        if self._durability == "wait" and not self._warned:
            logger.warning(
                "Redis syncs its append-only file now and then, once a second perhaps: when it loses power, "
                "messages accepted since may be lost. Set `appendfsync always`."
            )

    def look_once(self) -> None:
        """Say what is wrong with the server, the first time it is there to be looked at.

        Raises:
          EngineError: it is away, or cannot do what is required.
        """
        if not self._has_looked:
            self._look()
            self._has_looked = True

    def _look(self) -> None:
        look = (("INFO", "memory"), ("CONFIG", "GET", "appendfsync"))
        info, configured, *waited = self._server.run([], *look, *self.command())
        self.judge(waited)
        if isinstance(configured, list) and configured[1:] != [b"always"]:  # else it may not be asked
            self._syncs_now_and_then()
        facts = _facts(info) if isinstance(info, bytes) else {}
        policy = facts.get("maxmemory_policy", "noeviction")
        if policy != "noeviction" and facts.get("maxmemory", "0") != "0":
            logger.warning(
                "Redis may evict messages when its memory is full: maxmemory-policy is %s, and should be "
                "noeviction.",
                policy,
            )


def _means_never(refusal: redis.ResponseError) -> bool:
    """Whether it refuses because it has no such command, or no such file; all else may pass."""
    return "unknown command" in str(refusal) or "appendonly" in str(refusal)


def _facts(info: bytes) -> dict[str, str]:
    lines = info.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
