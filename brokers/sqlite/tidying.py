"""What can wait: sweeping spent ids, and giving space back to the disk.

It is an errand beside the caretaker's work, who has bells and dead processes to listen for meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from ..errors import EngineError
from .database import Database
from .errands import Errands
from .sweep import sweep_spent_ids

logger = logging.getLogger(__name__)

#: Space worth giving back when the queue is idle.
SPARE_BYTES = 1_000_000


class Tidying:
    """Tidies a database up when told that it may be time.

    Parameters:
      database: it.
      is_first: whether this process is the one that sweeps; one at a time is enough.
    """

    def __init__(self, database: Database, is_first: Callable[[], bool]) -> None:
        self._database = database
        self._is_first = is_first
        self._errands = Errands("recado-tidying")

    def begin(self) -> None:
        """Look what there is to do, and do it, unless that is going on already."""
        self._errands.begin(self._run)

    def close(self) -> None:
        """End after the next step. The rest is done by whoever comes after."""
        self._errands.close()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            for _ in self._steps():
                # Rest for as long as it took: others have the same gate, and their work comes first.
                if self._errands.rest(time.monotonic() - began):
                    return
                began = time.monotonic()
        except (EngineError, OSError) as error:
            logger.warning("Tidying up has to wait: %s", error)

    def _steps(self) -> Iterator[None]:
        if self._is_first():
            yield from sweep_spent_ids(self._database)
        yield from self._database.give_back_spare_space(SPARE_BYTES)
