"""Heartbeats: a process that falls silent is dead, and the others share out what it held."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from ..errors import EngineError
from . import scripts
from .client import RedisClient, explained
from .host_processes import is_alive
from .scripts import Argument, Call, name_of

logger = logging.getLogger(__name__)

#: How many beats there are in the time after which a silent process is dead.
BEATS_IN_TIMEOUT = 5

#: How many beats a process of this machine may miss before the kernel is asked whether it lives.
MISSED_BEATS = 2

#: How many times longer a process of another machine may be silent. Perhaps no process is left there to ask
#: the kernel, and one call of C can keep a whole interpreter, its heartbeat included, from going on.
ELSEWHERE = 4

#: How long after a failed beat it is tried again, in seconds.
RETRY_S = 0.5

#: How many of the server's keys are looked at for messages that no queue names, at one beat of all processes
#: together: it holds up the server for a millisecond.
LOOK_AT = 1_000

#: What a dead letter says when its workers died under it.
DIED = "The worker process died while it ran this message."


class Heartbeat:
    """Says that this process lives, and looks after those that died.

    It has a thread and a connection of its own, and waits for nothing else in this process. Of a silent
    process of its own machine it asks the kernel: none is taken for dead there that lives, and a death is
    noticed sooner. A process of another machine is dead when it was silent for `ELSEWHERE` times the timeout.

    Parameters:
      client: the way to the server.
      process: this process: its name in leases, its machine, its number there, and when it started.
      timeout_s: how long a process may be silent, in seconds.
      max_deliveries: how many workers may die under a message before it is set aside.
    """

    def __init__(
        self,
        client: RedisClient,
        process: tuple[str, str, int, str],
        *,
        timeout_s: float,
        max_deliveries: int,
    ) -> None:
        self._client = client
        timeout_ms = int(timeout_s * 1000)
        interval_ms = timeout_ms // BEATS_IN_TIMEOUT
        self._sentence: Sequence[Argument] = (max_deliveries, DIED)
        self._arguments = (*process, timeout_ms * ELSEWHERE, MISSED_BEATS * interval_ms, *self._sentence)
        self._look: Sequence[Argument] = ("", LOOK_AT, interval_ms, timeout_ms)
        self._timeout_s = timeout_s
        self._kept_since: bytes | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recado-heart", daemon=True)

    def start(self) -> None:
        """Beat once, then go on.

        Raises:
          EngineError: the server is away.
        """
        self.beat(first=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def beat(self, *, first: bool = False) -> None:
        """Say that this process lives; give back what the dead held.

        Raises:
          EngineError: the server is away.
        """
        [answer] = self._answers(Call(scripts.BEAT, self._arguments))
        known, dead, silent, kept_since, may_look, followed = answer
        [orphans] = self._answers(Call(scripts.ORPHANS, self._look)) if may_look else [0]
        dead += self._judge(silent)
        if self._kept_since not in {None, kept_since}:
            logger.error("Redis has lost all that Recado kept there. What comes in from now on is kept")
        elif not known and not first:
            logger.warning(
                "This process was silent for more than %g s and counted as dead: its messages run elsewhere",
                self._timeout_s,
            )
        self._kept_since = kept_since
        if followed:
            logger.warning("Redis's clock was set back: %d delayed message(s) follow it", followed)
        for owner, count in zip(dead[::2], dead[1::2], strict=True):
            logger.warning(
                "Process %s fell silent holding %d message(s): they are back", name_of(owner), count
            )
        if orphans:
            logger.error(
                "Redis has lost keys of Recado's: %d message(s) were in no queue, and are back. See that "
                "maxmemory-policy is noeviction.",
                orphans,
            )

    def _judge(self, silent: Sequence[bytes]) -> list[Any]:
        """Ask the kernel about silent processes of this machine; return the dead, and how much each held."""
        judged: list[Argument] = []
        for owner, pid, started in zip(*[iter(silent)] * 3, strict=True):
            judged += (owner, int(is_alive(int(pid), name_of(started))))
        if not judged:
            return []
        [dead] = self._answers(Call(scripts.JUDGE, (*self._sentence, *judged)))
        return list(dead)

    def _answers(self, *calls: Call) -> list[Any]:
        answers = self._client.run(calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise explained(answer)
        return answers

    def _run(self) -> None:
        pause_s = interval_s = self._timeout_s / BEATS_IN_TIMEOUT
        while not self._stopping.wait(pause_s):
            try:
                self.beat()
                pause_s = interval_s
            except EngineError as error:
                logger.warning("No heartbeat: %s", error)
                pause_s = min(RETRY_S, interval_s)
            except Exception:  # an answer that cannot be read: without heartbeats all it holds runs elsewhere
                logger.exception("A heartbeat failed")
