"""How many processes, cores and senders a load needs. The figures are those of docs/scaling.md."""

from __future__ import annotations

import math
from typing import NamedTuple

#: What a message costs in all processes together, from its webhook to its reply, in seconds of one core:
#: 5,000 contacts were answered within 36 s on two cores, which the fakes of Twilio and of the model shared
#: (docs/benchmarks.md, "Customers").
CORE_S_PER_MESSAGE = 2 * 36 / 5_000

#: Cores are planned to be busy for this share of the time. Beyond it, waits grow fast.
BUSY = 0.7

#: Memory of all processes at rest, and of each call in flight, in MB: 1,000 calls took 434 MB.
MEMORY_MB, MEMORY_PER_CALL_MB = 150, 0.3

#: Fewer than two workers mean that a crash leaves nobody at work.
LEAST_WORKERS = 2

#: What senders take in a second: segments of a long code in the US and Canada, messages of a WhatsApp sender
#: (https://www.twilio.com/docs/messaging, "Rate limits").
SMS_PER_SECOND, WHATSAPP_PER_SECOND = 1, 80

#: The most cores that are planned on one machine. A SQLite file serves one.
CORES_OF_A_MACHINE = 16


class Needed(NamedTuple):
    """What a load needs.

    Attributes:
      messages_per_second: at its peak.
      calls_in_flight: calls of the model that are open at that time.
      workers: worker processes, of all machines together.
      cores: cores for all of Recado.
      memory_mb: of all processes, in MB.
      machines: of `CORES_OF_A_MACHINE` cores.
      engine: where messages wait.
      whatsapp_senders, sms_numbers: senders that Twilio lets send so much.
    """

    messages_per_second: float
    calls_in_flight: int
    workers: int
    cores: int
    memory_mb: int
    machines: int
    engine: str
    whatsapp_senders: int
    sms_numbers: int


def plan(messages_per_hour: float, model_s: float, *, peak: float, calls_per_worker: int) -> Needed:
    """Return what a load needs.

    Parameters:
      messages_per_hour: that come in, on average.
      model_s: how long the model takes for an answer, in seconds.
      peak: how many times the average the busiest minute brings.
      calls_per_worker: calls of the model that one worker has in flight, at most.
    """
    per_second = messages_per_hour * peak / 3_600
    calls = math.ceil(per_second * model_s)
    cores = max(1, math.ceil(per_second * CORE_S_PER_MESSAGE / BUSY))
    machines = math.ceil(cores / CORES_OF_A_MACHINE)
    return Needed(
        messages_per_second=round(per_second, 2),
        calls_in_flight=calls,
        workers=max(LEAST_WORKERS, cores, math.ceil(calls / calls_per_worker)),
        cores=cores,
        memory_mb=math.ceil(MEMORY_MB * machines + MEMORY_PER_CALL_MB * calls),
        machines=machines,
        engine="SQLite, or Redis" if machines == 1 else "Redis",
        whatsapp_senders=max(1, math.ceil(per_second / WHATSAPP_PER_SECOND)),
        sms_numbers=max(1, math.ceil(per_second / SMS_PER_SECOND)),
    )
