"""Tells Recado that the phones got its replies, as Twilio's status callbacks do."""

from __future__ import annotations

import threading
from collections.abc import Collection

import structlog

from .network import Network, NotReached
from .outbox import SentReplies, SentReply

logger = structlog.get_logger(__name__)

#: How often the carrier looks for new replies, in seconds.
EVERY_S = 0.2


class Carrier:
    """Watches what is sent to some contacts, in a thread of its own, and reports each reply as delivered.

    Parameters:
      replies: what was sent.
      network: brings the reports.
      contacts: the addresses of the phones. Of other contacts nothing is known.
    """

    def __init__(self, replies: SentReplies, network: Network, contacts: Collection[str]) -> None:
        self._replies = replies
        self._network = network
        self._contacts = frozenset(contacts)
        self._place = replies.end()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recado-carrier", daemon=True)

    def start(self) -> None:
        """Start to watch: what was sent before is delivered already."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching, and close the network."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._network.close()

    def deliver(self) -> None:
        """Report what was sent since the last time. What cannot be reported now is reported the next time."""
        end = self._replies.end()
        self._place = min(self._place, end)  # the file may have been deleted, and begun anew
        if end == self._place:
            return
        found, place = self._replies.since(self._place)
        for reply in found:
            if reply.contact in self._contacts:
                self._report(reply)
        self._place = place

    def _report(self, reply: SentReply) -> None:
        parameters = {
            "From": reply.address,
            "MessageSid": reply.sid,
            "MessageStatus": "delivered",
            "SmsSid": reply.sid,
            "SmsStatus": "delivered",
            "To": reply.contact,
        }
        posted = self._network.report(reply.reply_id, parameters)
        if posted.status != 200:
            logger.warning("the delivery of a tried reply was not taken in", status=posted.status)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self.deliver()
            except (NotReached, OSError) as error:
                logger.debug("the delivery of a tried reply could not be reported", why=str(error))
