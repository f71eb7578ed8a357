"""The SQS engine: messages wait at Amazon SQS, through dramatiq-sqs. See docs/sqs.md for what it promises."""

from __future__ import annotations

from dramatiq import Middleware

from ..durable import DurableBroker
from .backend import SQSBackend


class SQSBroker(DurableBroker):
    """A Dramatiq broker on Amazon SQS.

    Messages are those of dramatiq-sqs, so a program with its broker can enqueue what is run here.
    Credentials are found by boto3: environment, profile, or the machine's role.

    Parameters:
      namespace: queues are called `<namespace>_<queue>`, their dead letters `<namespace>_<queue>_dlq`.
      region: of AWS; None for boto3's own (`AWS_DEFAULT_REGION`, or the profile's).
      endpoint_url: of a service that is compatible; None for Amazon's.
      middleware: all middleware of this broker; None for `brokers.middleware.default_middleware()`.
      visibility_timeout_s: a process silent for so long is dead, in seconds, and its messages run elsewhere.
        At least 2, at most 12 hours.
      max_deliveries: a message handed out so often and never settled becomes a dead letter.
      max_message_bytes: the largest encoded message to accept. SQS itself takes 782,336 bytes.
      poll_s: how long SQS may keep a request for messages that finds none, in whole seconds, at most 20.
    """

    def __init__(
        self,
        *,
        namespace: str = "recado",
        region: str | None = None,
        endpoint_url: str | None = None,
        middleware: list[Middleware] | None = None,
        visibility_timeout_s: int = 30,
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
        poll_s: int = 4,
    ) -> None:
        backend = SQSBackend(
            namespace=namespace,
            region=region,
            endpoint_url=endpoint_url,
            visibility_timeout_s=visibility_timeout_s,
            max_deliveries=max_deliveries,
            max_message_bytes=max_message_bytes,
            poll_s=poll_s,
        )
        super().__init__(backend, middleware=middleware)


__all__ = ["SQSBackend", "SQSBroker"]
