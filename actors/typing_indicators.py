"""Shows contacts that an answer is being written, beside the call of the model. Nothing waits for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from brokers.message_in_hand import current_message

from .channels import Channel, InboundMessage, ShowsTyping, TypingNotShown
from .metrics import metrics

logger = structlog.get_logger(__name__)

#: How many calls for it one process has in flight. When the channel hangs, those beyond it are left out.
MOST_AT_ONCE = 20


class TypingIndicators:
    """Has each shown by a thread of its own, which holds up neither the answer nor the end of the process.

    It takes no lock, because actors' threads are interrupted anywhere. Where two threads look at once, one
    call more may be made than is meant to be.

    Parameters:
      clock: in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_flight: set[object] = set()
        self._paused_until_s: dict[str, float] = {}  # by account

    def show(self, channel: Channel, message: InboundMessage) -> None:
        """Begin to show the contact of a message that it is being answered; return at once.

        A message that is tried again has had its indicator: the contact would see it come and go.
        """
        if not (isinstance(channel, ShowsTyping) and channel.can_show_typing(message) and _is_first_run()):
            return
        is_paused = self._clock() < self._paused_until_s.get(message.account, float("-inf"))
        if is_paused or len(self._in_flight) >= MOST_AT_ONCE:
            metrics().typing_indicators.labels("left_out").inc()
            return
        arguments = (channel, message)
        try:
            threading.Thread(target=self._show, args=arguments, name="recado-typing", daemon=True).start()
        except RuntimeError:  # the system gives no more threads
            metrics().typing_indicators.labels("left_out").inc()

    def _show(self, channel: ShowsTyping, message: InboundMessage) -> None:
        call = object()
        self._in_flight.add(call)
        try:
            channel.show_typing(message)
        except TypingNotShown as error:
            self._note(error, message)
            metrics().typing_indicators.labels("refused" if error.is_refusal else "failed").inc()
        except Exception:
            metrics().typing_indicators.labels("failed").inc()
            logger.exception("unexpected error of a typing indicator: the reply is not concerned")
        else:
            metrics().typing_indicators.labels("shown").inc()
        finally:
            self._in_flight.discard(call)

    def _note(self, error: TypingNotShown, message: InboundMessage) -> None:
        """Log a failure; at `info` only one after which the channel is not asked for a while."""
        about = {"why": str(error), "message_sid": message.external_id}
        if not error.pause_s:
            logger.debug("typing indicator not shown: the reply is not concerned", **about)
            return
        self._paused_until_s[message.account] = self._clock() + error.pause_s
        logger.info(
            "typing indicators are refused: none is shown for a while, and replies are not concerned",
            pause_s=error.pause_s,
            **about,
        )


def _is_first_run() -> bool:
    """Tell whether the current message is run for the first time, as far as the model was asked."""
    message = current_message()
    return message is None or not (message.options.get("retries") or message.delivery.crashes)
