"""An app in place of Recado, with the judge's fakes around it."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..client import Client
from ..ledger import Accepted, Ledger
from ..load import Load
from ..model import Model
from ..server import free_port, serving
from ..trial import where_to_ask
from ..twilio import Twilio
from ..verdict import Told, Verdict, judge
from . import stores
from .scene import Bout, Scene, redis
from .service import Role, Service


@dataclass(frozen=True)
class Peer:
    """An app in place of Recado.

    Attributes:
      name: for people.
      app: uvicorn's name for it: a module and a variable.
      worker: the arguments of the Python that starts its workers; none where the API does the work.
      needs_redis: it is given a Valkey of its own.
      read: reads its store.
    """

    name: str
    app: str
    worker: Sequence[str] = ()
    needs_redis: bool = False
    read: stores.Read = stores.nothing

    def programs(self, port: int) -> Mapping[Role, Sequence[str]]:
        """The commands that start it."""
        api = (
            "-m",
            "uvicorn",
            self.app,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--log-level",
            "warning",
        )
        programs: dict[Role, Sequence[str]] = {"api": (sys.executable, *api)}
        return programs | ({"worker": (sys.executable, *self.worker)} if self.worker else {})

    @asynccontextmanager
    async def opened(self, bout: Bout, seed: int, directory: Path) -> AsyncIterator[Scene]:
        """Start it, and kill it when the block ends."""
        directory.mkdir(parents=True)
        ledger = Ledger()
        twilio = Twilio(ledger, random.Random(seed + 1), fault_rate=0.0, report=_no_report)
        model = Model(random.Random(seed + 2), fault_rate=0.0, thinks_s=bout.thinks_s)
        async with AsyncExitStack() as stack:
            twilio_url = await stack.enter_async_context(serving(twilio.answer))
            model_url = await stack.enter_async_context(serving(model.answer))
            redis_port = await stack.enter_async_context(redis(directory)) if self.needs_redis else 0
            environment = where_to_ask(twilio, twilio_url, model_url)
            environment["REDIS_URL"] = f"redis://127.0.0.1:{redis_port}/0"
            port = free_port()
            service = Service(directory, self.programs(port), environment)
            stack.push_async_callback(service.stop)
            account: Any = {"account_sid": twilio.account_sid}
            client = Client(f"http://127.0.0.1:{port}", ledger, **account, auth_token=twilio.auth_token)
            stack.push_async_callback(client.close)
            dice = random.Random(seed + 3)
            load = Load(client, ledger, dice, **account, part=bout.part, scripts=False, oddities=False)

            async def stored() -> stores.Stored:
                return await asyncio.to_thread(self.read, directory, redis_port)

            async def told() -> Told:
                return Told(sorted(stores.tokens((await stored()).dead, ledger.inbound)))

            async def waiting() -> set[str]:
                return stores.tokens((await stored()).waiting, ledger.inbound)

            async def verdict() -> Verdict:
                return judge(ledger, await told())

            await service.start()
            works_in: Role = "worker" if self.worker else "api"
            yield Scene(ledger, model, client, load, works_in, service.pids, told, waiting, verdict)


async def _no_report(_message: Accepted, _status: str) -> None:
    """Do nothing: no peer asks for status callbacks."""
