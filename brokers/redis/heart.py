"""Heartbeats: a process that falls silent is dead, and the others share out what it held."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from ..errors import EngineError
from . import scripts
from .scripts import Argument, Call
from .server import Server, explained

logger = logging.getLogger(__name__)

#: How many beats there are in the time after which a silent process is dead.
BEATS_IN_TIMEOUT = 5

#: How long after a failed beat it is tried again, in seconds.
RETRY_S = 0.5

#: How many of the server's keys are looked at for messages that no queue names, at one beat of all processes
#: together: it holds up the server for a millisecond.
LOOK_AT = 1_000

#: What a dead letter says when its workers died under it.
DIED = "The worker process died while it ran this message."


class Heart:
    """Says that this process lives, and looks after those that died.

    It has a thread and a connection of its own, and waits for nobody else in this process.

    Parameters:
      server: the server.
      owner: this process's name in leases.
      host: its machine.
      pid: its number there.
      timeout_s: how long a process may be silent, in seconds.
      max_deliveries: how many workers may die under a message before it is set aside.
    """

    def __init__(
        self, server: Server, owner: str, host: str, pid: int, *, timeout_s: float, max_deliveries: int
    ) -> None:
        self._server = server
        self._owner = owner
        self._arguments: Sequence[Argument] = (
            *(owner, host, pid),
            *(int(timeout_s * 1000), max_deliveries, DIED),
        )
        timeout_ms = int(timeout_s * 1000)
        self._look: Sequence[Argument] = ("", LOOK_AT, timeout_ms // BEATS_IN_TIMEOUT, timeout_ms)
        self._timeout_s = timeout_s
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
        answers = self._server.run([Call(scripts.BEAT, self._arguments), Call(scripts.ORPHANS, self._look)])
        for answer in answers:
            if isinstance(answer, Exception):
                raise explained(answer)
        (known, *dead), orphans = answers
        if not known and not first:
            logger.warning(
                "This process was silent for more than %g s and counted as dead: its messages run elsewhere",
                self._timeout_s,
            )
        for owner, count in zip(dead[::2], dead[1::2], strict=True):
            logger.warning(
                "Process %s fell silent holding %d message(s): they are back", owner.decode(), count
            )
        if orphans:
            logger.error(
                "Redis has lost keys of Recado's: %d message(s) were in no queue, and are back. See that "
                "maxmemory-policy is noeviction.",
                orphans,
            )

    def _run(self) -> None:
        pause_s = interval_s = self._timeout_s / BEATS_IN_TIMEOUT
        while not self._stopping.wait(pause_s):
            try:
                self.beat()
                pause_s = interval_s
            except EngineError as error:
                logger.warning("No heartbeat: %s", error)
                pause_s = min(RETRY_S, interval_s)
