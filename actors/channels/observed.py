"""A channel whose calls are counted, timed and traced. The channel inside knows nothing of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from ..metrics import metrics
from ..reply import Reply
from ..spans import calling, note
from .channel import (
    Channel,
    DeliveryStatus,
    Gone,
    InboundMessage,
    NotSentEver,
    NotSentYet,
    Others,
    Paced,
    Payload,
    PerhapsSent,
    SendError,
    ShowsTyping,
    TellsStatus,
)

#: What the metrics call what became of a call.
_OUTCOMES: Mapping[type[SendError], str] = {
    NotSentYet: "not_yet",
    NotSentEver: "never",
    PerhapsSent: "unknown",
}


class ObservedTwilio:
    """Observes the channel that calls Twilio: its metrics and spans are named after it.

    Parameters:
      channel: the channel.
      api_base_url: where Twilio's API is, for the spans.
    """

    def __init__(self, channel: Channel, *, api_base_url: str) -> None:
        self._channel = channel
        self._host = urlsplit(api_base_url).hostname
        self.max_characters = channel.max_characters
        self.not_found_is_not_sent = channel.not_found_is_not_sent
        self.is_paced = isinstance(channel, Paced) and channel.is_paced

    def read(self, payload: Payload) -> InboundMessage:
        return self._channel.read(payload)

    def read_status(self, payload: Payload) -> DeliveryStatus:
        return self._channel.read_status(payload)

    def send(self, reply: Reply) -> str:
        with self._calling("send", reply):
            sid = self._channel.send(reply)
            note({"twilio.message_sid": sid})
        return sid

    def segments(self, reply: Reply) -> int:
        return self._channel.segments(reply) if isinstance(self._channel, Paced) else 1

    def pause_after_ms(self, reply: Reply) -> float:
        return self._channel.pause_after_ms(reply) if isinstance(self._channel, Paced) else 0.0

    def find(self, reply: Reply, *, is_known: Callable[[str], bool], others: Others = tuple) -> str | None:
        with self._calling("find", reply):
            sid = self._channel.find(reply, is_known=is_known, others=others)
            note({"twilio.message_sid": sid})
        return sid

    def can_show_typing(self, message: InboundMessage) -> bool:
        return isinstance(self._channel, ShowsTyping) and self._channel.can_show_typing(message)

    def show_typing(self, message: InboundMessage) -> None:
        """Counted by its caller, which alone knows of those that were left out."""
        if isinstance(self._channel, ShowsTyping):
            self._channel.show_typing(message)

    def status_of(self, reply: Reply) -> Payload | None:
        if not isinstance(self._channel, TellsStatus):
            return None
        gone: Gone | None = None
        with self._calling("status", reply):
            try:
                return self._channel.status_of(reply)
            except Gone as error:  # an answer like others, and no trouble of Twilio's
                gone = error
        raise gone

    @contextmanager
    def _calling(self, operation: str, reply: Reply) -> Iterator[None]:
        attributes = {"server.address": self._host, "recado.reply_id": reply.reply_id}
        with calling(f"twilio {operation}", attributes):
            try:
                with metrics().twilio_seconds.labels(operation).time():
                    yield
            except SendError as error:
                outcome = next(name for kind, name in _OUTCOMES.items() if isinstance(error, kind))
                metrics().twilio_requests.labels(operation, outcome).inc()
                metrics().twilio_errors.labels(operation, str(error.code or _cause(error))).inc()
                note({"twilio.outcome": outcome, "twilio.error_code": error.code})
                raise
            metrics().twilio_requests.labels(operation, "accepted").inc()
            note({"twilio.outcome": "accepted"})


def _cause(error: BaseException) -> str:
    """The name of what an error came of, at the bottom."""
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__
