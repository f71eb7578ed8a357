"""Messages that hand their results on."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Pipelines as UpstreamPipelines


class Pipelines(UpstreamPipelines):
    """Dramatiq's own, but that a message without a pipe costs nothing.

    Dramatiq's runs an import statement for each message that is done, a twentieth of a no-op job.
    """

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        if message.options.get("pipe_target") is not None:
            super().after_process_message(broker, message, result=result, exception=exception)  # type: ignore[no-untyped-call]
