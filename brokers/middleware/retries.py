"""What failed is tried again."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Retries as UpstreamRetries

from ..consumer import DurableMessage
from ..errors import EngineError

#: How long a message rests whose actor could not reach an engine, in milliseconds.
AWAY_MS = 2_000


class Retries(UpstreamRetries):
    """Dramatiq's own, but that an engine which is away uses up none of a message's retries.

    It is no fault of the message's, and it may last longer than all retries together: a server with a full
    memory, a disk without space. The message's age limit still ends it.
    """

    def after_process_message(  # type: ignore[override]
        self,
        broker: Broker,
        message: DurableMessage,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        if isinstance(exception, EngineError):
            self.logger.warning("Message %s waits for an engine: %s", message.message_id, exception)
            broker.enqueue(message, delay=AWAY_MS)  # type: ignore[arg-type]  # a proxy of one
        else:
            super().after_process_message(broker, message, result=result, exception=exception)  # type: ignore[no-untyped-call]
