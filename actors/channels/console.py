"""The channel for development: it reads Twilio's webhooks, sends nothing, and writes replies down."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from brokers.clock import now_ms
from ops.foundation.private_files import private

from ..reply import Reply
from .channel import DeliveryStatus, InboundMessage, Others, Payload
from .twilio import delivery, inbound

logger = structlog.get_logger(__name__)


class ConsoleChannel:
    """Appends each reply to a file, one JSON object a line.

    Parameters:
      outbox: the file; created when missing.
      keywords: as of `TwilioChannel`.
    """

    max_characters = 1_600  # as of the channel that it stands for
    not_found_is_not_sent = True  # the file is all there is

    def __init__(self, outbox: Path, *, keywords: inbound.Keywords = inbound.KEYWORDS) -> None:
        self._outbox = outbox
        self._keywords = keywords
        self._lock = threading.Lock()

    def read(self, payload: Payload) -> InboundMessage:
        return inbound.read(payload, self._keywords)

    def read_status(self, payload: Payload) -> DeliveryStatus:
        return delivery.read_status(payload)

    def send(self, reply: Reply) -> str:
        sid = _sid(reply.reply_id)
        line = {
            "sid": sid,
            "reply_id": reply.reply_id,
            "from": reply.address,
            "to": reply.contact,
            "body": reply.body,
            **(json.loads(str(reply.content) or "{}")),
            "received_at": reply.received_at,
            "sent_at": now_ms(),
        }
        # One write in append mode is whole, also with several processes at the same file.
        data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
        # Customers' messages are in the file. `Path.open` takes no opener.
        with self._lock, open(self._outbox, "ab", buffering=0, opener=private) as file:
            file.write(data)
            os.fsync(file.fileno())
        logger.info("reply written to the console's outbox", sid=sid)
        return sid

    def find(
        self,
        reply: Reply,
        *,
        is_known: Callable[[str], bool],  # noqa: ARG002
        others: Others = tuple,  # noqa: ARG002
    ) -> str | None:
        if not self._outbox.exists():
            return None
        for line in self._outbox.read_text().splitlines():
            written = json.loads(line)
            if written.get("reply_id") == reply.reply_id:  # a line that was erased has none
                return str(written["sid"])
        return None


def _sid(reply_id: str) -> str:
    """Make an id of the form of Twilio's, so that a status callback can name it."""
    return "SM" + hashlib.blake2b(reply_id.encode(), digest_size=16).hexdigest()
