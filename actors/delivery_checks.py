"""Asks the channel how deliveries go on of which it told no end: callbacks may be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import structlog

from brokers.durable import DurableBroker

from .channels import Channel, Gone, NotSentEver, NotSentYet, TellsStatus
from .chores import IsStopping
from .conversations.delivery_checks import DeliveryChecks
from .metrics import metrics
from .reply import Reply

logger = structlog.get_logger(__name__)

#: How often one of all workers looks, in seconds, at most.
EVERY_S = 60.0

#: How many replies are asked about in one round, and the pause after each, in seconds.
MOST_A_ROUND = 200
PAUSE_S = 0.1

#: A reply is looked at so often at most, each time after so many times the time before, and no later than a
#: day after its sending: by default after 15 minutes, 1, 4, 16 and 24 hours. A carrier that tells of no
#: delivery leaves a reply `sent` for ever.
MOST_LOOKS = 5
TIMES_LATER = 4
DAY_MS = 86_400_000

#: When a reply is looked at again about which the channel could not be asked, in milliseconds.
PUT_BACK_MS = 300_000


def looks_ms(after_s: float) -> Sequence[int]:
    """Return when a reply is looked at, in milliseconds after its sending.

    Parameters:
      after_s: the first time, in seconds.
    """
    looks = [min(int(after_s * 1_000 * TIMES_LATER**look), DAY_MS) for look in range(MOST_LOOKS)]
    return [looks[0], *(later for before, later in pairwise(looks) if later > before)]


def every_s(after_s: float) -> float:
    """Return how often a worker looks, in seconds: after a shorter time than usual where that is set."""
    return min(EVERY_S, after_s) if after_s else EVERY_S


def check_deliveries(
    checks: DeliveryChecks,
    channels: Mapping[str, Channel],
    broker: DurableBroker,
    *,
    after_s: float,
    is_stopping: IsStopping,
) -> None:
    """Ask about deliveries that are due for it, unless another process does; record what is new by the queue.

    A channel that has too much to do, or no answer, ends the round. The next one goes on.

    Parameters:
      checks: which replies to look at.
      channels: by name.
      broker: takes what a callback would have brought.
      after_s: how long after the sending to look first, in seconds; 0 for not at all.
      is_stopping: pauses for so many seconds; returns early, and True, when this process ends.

    Raises:
      EngineError: the store or the queue could not. Another look is due later.
    """
    if not after_s or not checks.begin(every_ms=int(every_s(after_s) * 1_000)):
        return
    looks = looks_ms(after_s)
    for _ in range(MOST_A_ROUND):
        reply = checks.take(looks)
        if reply is None:
            return
        channel = channels.get(reply.channel)
        if not isinstance(channel, TellsStatus):
            checks.close(reply.reply_id)
            continue
        try:
            outcome = _look(reply, channel, checks, broker)
        except NotSentYet as error:
            checks.put_back(reply.reply_id, looks, delay_ms=max(PUT_BACK_MS, error.delay_ms or 0))
            metrics().delivery_checks.labels("put_off").inc()
            logger.info("deliveries cannot be asked about now: they are later", why=str(error))
            return
        metrics().delivery_checks.labels(outcome).inc()
        if is_stopping(PAUSE_S):
            return


def _look(reply: Reply, channel: TellsStatus, checks: DeliveryChecks, broker: DurableBroker) -> str:
    """Ask about one reply, and have what is new recorded; return what came of it, as the metric has it."""
    try:
        payload = channel.status_of(reply)
    except Gone:
        checks.close(reply.reply_id)
        return "gone"
    except NotSentEver as error:
        logger.info("the channel does not tell of a delivery", reply_id=reply.reply_id, why=str(error))
        return "refused"
    if payload is None:
        return "unchanged"
    record = broker.get_actor("record_delivery_status")
    broker.enqueue(record.message(dict(payload), reply.reply_id, reply.channel))
    logger.info("a delivery went on, and no callback told of it", reply_id=reply.reply_id)
    return "moved"
