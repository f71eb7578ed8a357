"""The kill storm: load from all sides, and blows to everything that runs."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .blows import Blows
from .trial import trial
from .valkey import Valkey
from .verdict import Verdict

#: The three forms: where messages wait, and where conversations are kept.
FORMS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {"QUEUE_BACKEND": "sqlite"},
    "redis": {"QUEUE_BACKEND": "redis"},
    "mixed": {"QUEUE_BACKEND": "redis", "CONVERSATIONS_BACKEND": "sqlite"},
}


@dataclass(frozen=True)
class Storm:
    """How strong it is.

    Attributes:
      blows: how many.
      every_s: the mean time between two, in seconds.
      settle_s: how long everything may take to come to rest, in seconds.
      part: how much of the usual load there is.
      fault_rate: which part of what is asked of the model and of Twilio goes wrong.
      grace_s: how long a message that had no 200 yet is repeated after the last blow, in seconds.
    """

    blows: int
    every_s: float
    settle_s: float
    part: float = 1.0
    fault_rate: float = 0.02
    grace_s: float = 10.0


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    verdict: Verdict
    dealt: Counter[str]
    restarts: int
    answers: Counter[str]
    took_s: float


async def rage(
    form: str, storm: Storm, seed: int, directory: Path, extra: Mapping[str, str] | None = None
) -> Outcome:
    """Let a storm rage over one form.

    Parameters:
      form: its name.
      storm: how strong.
      seed: of all dice.
      directory: for files.
      extra: environment variables, such as those that build a fault in.

    Raises:
      Unsettled: something waits for ever.
    """
    began = time.monotonic()
    directory.mkdir(parents=True)
    settings = {**FORMS[form], **(extra or {})}
    valkey = None
    try:
        if settings["QUEUE_BACKEND"] == "redis":
            valkey = Valkey(directory)
            await valkey.start()
            settings["REDIS_URL"] = f"redis://127.0.0.1:{valkey.port}/0"
        async with trial(directory, seed, settings, fault_rate=storm.fault_rate, part=storm.part) as it:
            it.client.deadline = float("inf")
            blows = Blows(it.recado, valkey, random.Random(seed), every_s=storm.every_s)
            dealing = asyncio.create_task(blows.deal(storm.blows))
            dealing.add_done_callback(
                lambda _: setattr(it.client, "deadline", time.monotonic() + storm.grace_s)
            )
            try:
                await it.load.run(dealing.done)
            finally:
                if not dealing.done():
                    dealing.cancel()
            await dealing
            it.twilio.fault_rate = it.model.fault_rate = 0.0
            await it.recado.ready()
            await it.twilio.reported()
            await it.settle(within_s=storm.settle_s)
            verdict = await it.verdict()
            return Outcome(
                verdict,
                blows.dealt,
                it.recado.restarts,
                it.ledger.answers,
                time.monotonic() - began,
            )
    finally:
        if valkey is not None:
            await valkey.kill()
