"""One trial: Recado with all that it needs around it, and what can be learned when it is over."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from .client import Client
from .ledger import Accepted, Ledger
from .load import IN_TEXT, OUT_TEXT, Load
from .model import THINKS_S, Model
from .recado import CommandFailed, Recado
from .server import serving
from .twilio import Twilio
from .verdict import Told, Verdict, judge

#: More than all dead letters and replies of a trial.
ALL = "1000000"

#: Of so many replies it is asked whether their delivery is known.
MOST_ASKED = 300

#: How often in a row nothing may wait before a trial counts as settled.
EMPTY_LOOKS = 3

#: Settings of every trial: those of its fakes, and no limit to what one contact may write.
SETTINGS = {
    "AI_API_KEY": "judge",
    "AI_MODEL": "judge",
    "AI_PROVIDER": "openai",
    "AI_VISION": "true",
    "API_V1_REQUESTS_PER_MINUTE": "1000000",
    "CONTACT_REPLIES_PER_HOUR": "1000000",
    "CONTACT_SAME_TEXT_LIMIT": "0",
    "CONTACT_TOKENS_PER_DAY": "1000000000",
    "OPT_IN_TEXT": IN_TEXT,
    "OPT_OUT_TEXT": OUT_TEXT,
    "REPLY_SENDER": "twilio",
}

#: Settings that shorten what Recado waits for, so that a trial is over soon.
QUICK = {
    "AI_TIMEOUT_S": "10",
    "MESSAGE_MAX_BACKOFF_MS": "2000",
    "MESSAGE_MIN_BACKOFF_MS": "200",
    "REDIS_HEARTBEAT_TIMEOUT_S": "3",
    "REPLY_GATHER_MS": "100",
    "REPLY_RECONCILE_DELAYS_S": "1,2,3",
    "TWILIO_TIMEOUT_S": "3",
}


class Unsettled(Exception):
    """Something still waits, long after it should not."""


@dataclass
class Trial:
    """A Recado, its surroundings, and what is known of it."""

    ledger: Ledger
    twilio: Twilio
    model: Model
    recado: Recado
    client: Client
    load: Load

    async def settle(self, *, within_s: float) -> None:
        """Return when nothing waits any more: in no queue, and in no spool.

        Raises:
          Unsettled: something still does after `within_s` seconds.
        """
        until, looks, waits = time.monotonic() + within_s, 0, "nothing known"
        while looks < EMPTY_LOOKS:
            if time.monotonic() > until:
                raise Unsettled(f"after {within_s:g} s: {waits}")
            await asyncio.sleep(0.5)
            with suppress(CommandFailed, httpx.HTTPError):
                queues = await self.recado.json("queues")
                spooled = await self.recado.metric("recado_spool_messages")
                count = sum(queue[state] for queue in queues for state in ("ready", "delayed", "running"))
                looks = 0 if count or spooled else looks + 1
                waits = f"{count:g} in queues, {spooled:g} in the spool"

    async def shown(self) -> Told:
        """What a person can see that waits for them."""
        letters = await self.recado.json("dead", "list", "--limit", ALL)
        attention = await self.recado.json("attention", "--limit", ALL)
        texts = [json.dumps(each, ensure_ascii=False) for each in (*letters, *attention["entries"])]
        waiting = {each["contact"] for each in attention["waiting"]}
        return Told(texts, waiting)

    async def verdict(self) -> Verdict:
        """Pass the sentence."""
        await self.twilio.reported()
        return judge(self.ledger, replace(await self.shown(), delivery=await self._deliveries()))

    async def _deliveries(self) -> dict[str, str | None]:
        self.client.deadline = time.monotonic() + 30
        reported = [each.reply_id for each in self.ledger.accepted if each.told is not None]
        found: dict[str, str | None] = {}
        for reply_id in reported[:: max(1, len(reported) // MOST_ASKED)]:
            reply = await self.client.api("GET", f"/replies/{reply_id}")
            found[reply_id] = None if reply is None else reply["delivery_status"]
        return found


@asynccontextmanager
async def trial(
    directory: Path,
    seed: int,
    settings: Mapping[str, str],
    *,
    fault_rate: float,
    part: float,
    scripts: bool = True,
    as_peer: bool = False,
    thinks_s: tuple[float, float] = THINKS_S,
) -> AsyncIterator[Trial]:
    """Start a Recado, and stop it when the block ends.

    Parameters:
      directory: for its files.
      seed: of all dice.
      settings: environment variables, over those of every trial.
      fault_rate: which part of what it asks of the model and of Twilio goes wrong.
      part: how much of the usual load there is.
      scripts: whether contacts opt out, and people take part.
      as_peer: under the conditions of its peers: Recado waits as long as it does by default, and each message
        is a plain one that comes once.
      thinks_s: how long the model thinks, in seconds: at least, and at most.
    """
    ledger = Ledger()

    async def report(message: Accepted, status: str) -> None:
        await client.report(message, status)

    twilio = Twilio(ledger, random.Random(seed + 1), fault_rate=fault_rate, report=report)
    model = Model(random.Random(seed + 2), fault_rate=fault_rate, thinks_s=thinks_s)
    async with serving(twilio.answer) as twilio_url, serving(model.answer) as model_url:
        outside = where_to_ask(twilio, twilio_url, model_url)
        recado = Recado(directory, {**SETTINGS, **({} if as_peer else QUICK), **outside, **settings})
        account: Any = {"account_sid": twilio.account_sid}
        client = Client(recado.url, ledger, **account, auth_token=twilio.auth_token)
        load = Load(
            client,
            ledger,
            random.Random(seed + 3),
            **account,
            part=part,
            scripts=scripts,
            oddities=not as_peer,
        )
        try:
            printed = await recado.run("tokens", "create", "--name", "judge", "--role", "admin")
            client.token = next(word for word in printed.split() if word.startswith("recado_"))
            await recado.start()
            yield Trial(ledger, twilio, model, recado, client, load)
        finally:
            await twilio.stop()
            await recado.stop()
            await client.close()


def where_to_ask(twilio: Twilio, twilio_url: str, model_url: str) -> dict[str, str]:
    """The environment variables that lead to the fakes."""
    return {
        "AI_BASE_URL": f"{model_url}/v1",
        "TWILIO_ACCOUNT_SID": twilio.account_sid,
        "TWILIO_API_BASE_URL": twilio_url,
        "TWILIO_AUTH_TOKEN": twilio.auth_token,
    }
