"""What can go wrong in an engine, in Dramatiq's own families of errors."""

from __future__ import annotations

from dramatiq.errors import BrokerError, ConnectionFailed


class EngineError(ConnectionFailed):
    """The engine could not do what it was asked: disk full, file gone, server away, no answer in time.

    A ``BrokerConnectionError``, so that Dramatiq's workers reconnect and never abandon an ack.
    """


class MessageTooLarge(BrokerError):
    """The encoded message is over the engine's limit and was not stored."""


class UnsupportedDatabase(BrokerError):
    """The database may not be opened: a newer schema, or a network filesystem."""
