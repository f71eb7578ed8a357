"""What follows from a reply's having been sent."""

from __future__ import annotations

from brokers.clock import now_ms

from .announcing import announce_reply
from .channels import Paced
from .metrics import metrics
from .reply import ACCEPTED, Reply
from .services import services


def record_sent(reply: Reply, sid: str) -> str | None:
    """Record that a reply was sent; return the id of the conversation's next one to send."""
    segments = _segments(reply)
    cost = services().prices.of_segments(reply.address, segments)
    to_send = services().conversations.record_sent(reply.reply_id, sid, segments=segments, cost=cost)
    metrics().replies.labels("sent").inc()
    metrics().segments.inc(segments)
    # Of one that was found later this is more than its contact waited, and the most that is known.
    metrics().reply_seconds.observe((now_ms() - reply.received_at) / 1000)
    announce_reply("reply.sent", reply, state="sent", external_id=sid)
    return to_send


def catch_up_on_sent(reply: Reply) -> None:
    """Do what follows from a sending whose worker died: count its segments, and announce it."""
    if reply.state in ACCEPTED and reply.external_id is not None:
        segments = _segments(reply)
        cost = services().prices.of_segments(reply.address, segments)
        services().conversations.record_sent(reply.reply_id, reply.external_id, segments=segments, cost=cost)
        announce_reply("reply.sent", reply, state="sent", external_id=reply.external_id)
    elif reply.state == "cancelled":
        announce_reply("reply.cancelled", reply, state="cancelled", error=reply.error)


def _segments(reply: Reply) -> int:
    """Return how many messages a reply is to its channel."""
    channel = services().channel(reply.channel)
    return channel.segments(reply) if isinstance(channel, Paced) else 1
