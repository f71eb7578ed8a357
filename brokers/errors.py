"""What can go wrong in an engine, in Dramatiq's own families of errors."""

from __future__ import annotations

from dramatiq.errors import BrokerError, ConnectionFailed, DramatiqError, Retry


class EngineError(ConnectionFailed, Retry):
    """The engine could not do what it was asked: disk full, file gone, server away, no answer in time.

    A ``BrokerConnectionError``, so that Dramatiq's workers reconnect and never abandon an ack. Also a
    ``Retry``: the message of an actor that raises it is tried again, and Dramatiq's worker logs no traceback
    of a ``Retry``, which would come with each try and say nothing more.
    """


class FileLost(EngineError):
    """The operation changed a file that has no name any more. It is to be done again, in the one that has."""


class NotDurable(EngineError):
    """The engine works, and cannot promise what is required of it. No later try would do."""


class MessageTooLarge(BrokerError):
    """The encoded message is over the engine's limit and was not stored."""

    @classmethod
    def refuse(cls, payload: bytes, *, queue: str, limit: int) -> None:
        """Raise this if a payload is over the limit, in bytes."""
        if len(payload) > limit:
            raise cls(
                f"A message of {len(payload):,} bytes for queue {queue!r} is over the limit of {limit:,}. "
                "Store the bulk elsewhere and send a reference, or raise max_message_bytes."
            )


class UnsupportedDatabase(BrokerError):
    """The database may not be opened: a newer schema, or a network filesystem."""


class Unsupported(BrokerError):
    """The engine has no such thing; the message says what to use instead."""


class WorkersDied(DramatiqError):
    """The workers of a message died under it, as often as may be: what the message failed with."""
