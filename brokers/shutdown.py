"""The end of a worker whose engine does not answer.

Dramatiq tries to settle a message until it succeeds, and a worker that is to stop waits for that. When the
engine cannot answer, nothing is won by it: what is not settled is still this process's, and the engine gives
it to another one when this one has ended. So once a worker is told to stop, what fails is not tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dramatiq.errors import BrokerConnectionError

logger = logging.getLogger(__name__)


class Shutdown:
    """Knows whether a worker of this broker is stopping, and whether the engine answered since.

    Attributes:
      has_failed: the engine could not do something since the shutdown began: nothing more is asked of it.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self.has_failed = False

    def begin(self) -> None:
        """The worker is told to stop."""
        self._has_begun = True

    def cancel(self) -> None:
        """Another worker starts."""
        self._has_begun = self.has_failed = False

    @contextmanager
    def giving_up(self, what: str) -> Iterator[None]:
        """Let a failure of the engine inside pass once the shutdown has begun; before that it is raised.

        Parameters:
          what: what is tried, for the log.
        """
        try:
            yield
        except BrokerConnectionError as error:
            self.raise_or_give_up(error, what)

    def raise_or_give_up(self, error: BrokerConnectionError, what: str) -> None:
        """Raise a failure of the engine, unless the shutdown has begun.

        Parameters:
          what: what was tried, for the log.

        Raises:
          BrokerConnectionError: the failure.
        """
        if not self._has_begun:
            raise error
        self.has_failed = True
        logger.warning(
            "The worker stops, and cannot %s. What it holds is delivered again once it has ended. %s",
            what,
            error,
        )
