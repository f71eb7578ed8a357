"""The first thing a worker does when it is told to stop."""

from __future__ import annotations

import logging
from collections import defaultdict

from dramatiq import Worker
from dramatiq.common import iter_queue
from dramatiq.errors import BrokerConnectionError

from .consumer import DurableConsumer
from .durable_message import DurableMessage

logger = logging.getLogger(__name__)

#: How long a consumer's last look into its queue may take, in seconds: some four waits of one second each.
LAST_LOOK_S = 8.0


def release_prefetched(worker: Worker) -> None:
    """Put what the worker claimed and has not begun back into the queue, now, and claim nothing more.

    `Worker.stop` does so as well, but not before the last running message is done, which may be minutes.
    Until then its consumers would claim what nothing here will run.

    Parameters:
      worker: at work. Afterwards it begins nothing more, and still has to be stopped.
    """
    for thread in worker.workers:
        thread.stop()  # after the message in hand
    consumers = dict(worker.consumers)
    for consumer in consumers.values():
        consumer.stop()
        if isinstance(consumer.consumer, DurableConsumer):
            consumer.consumer.stop()
    for consumer in consumers.values():
        consumer.join(LAST_LOOK_S)
        if not consumer.is_alive():
            consumer.close()  # which gives back what it claimed; messages in hand can still be settled
    waiting = defaultdict[str, list[DurableMessage]](list)
    for work_queue in {worker.work_queue, *(consumer.work_queue for consumer in consumers.values())}:
        for item in iter_queue(work_queue):
            # The queue it was claimed from, which need not be the one that it names itself.
            waiting[item.message.delivery.queue].append(item.message)
    for queue_name, messages in waiting.items():
        try:
            consumers[queue_name].requeue_messages(messages)
        except BrokerConnectionError:
            # They are still this process's: the engine gives them back when it has ended.
            logger.warning("%d messages of queue %s cannot be given back yet", len(messages), queue_name)
