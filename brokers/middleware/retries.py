"""What failed is tried again."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker
from dramatiq.common import compute_backoff
from dramatiq.middleware import Retries as UpstreamRetries

from ..durable_message import DurableMessage
from ..errors import EngineError

#: How long a message rests whose actor could not reach an engine, in milliseconds: the first time, and at
#: most. The pause doubles each time, with jitter.
AWAY_MS = 2_000
LONGEST_AWAY_MS = 30_000

#: The message option that counts how often in a row that was so.
AWAY = "engine_away"


class Retries(UpstreamRetries):
    """Dramatiq's own, but that an engine which is away uses up none of a message's retries.

    It is no fault of the message's, and it may last longer than all retries together: a server with a full
    memory, a disk without space, a damaged file. The message's age limit still ends it.
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
            times = message.options.get(AWAY, 0)
            message.options[AWAY], delay_ms = compute_backoff(
                times, factor=AWAY_MS, max_backoff=LONGEST_AWAY_MS
            )
            pause = (message.message_id, delay_ms / 1000, exception)
            self.logger.warning("Message %s waits for an engine, for %.1f s: %s", *pause)
            broker.enqueue(message, delay=delay_ms)  # type: ignore[arg-type]  # a proxy of one
        else:
            message.options.pop(AWAY, None)
            super().after_process_message(broker, message, result=result, exception=exception)  # type: ignore[no-untyped-call]
