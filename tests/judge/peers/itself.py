"""Recado among its peers, with its defaults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from ..storm import FORMS
from ..trial import trial
from ..verdict import Verdict
from .scene import Bout, Opens, Scene, redis


def recado(form: str) -> Opens:
    """Recado on one of the storms' forms."""

    @asynccontextmanager
    async def opened(bout: Bout, seed: int, directory: Path) -> AsyncIterator[Scene]:
        directory.mkdir(parents=True)
        settings = dict(FORMS[form])
        conditions: Any = {"scripts": False, "as_peer": True, "thinks_s": bout.thinks_s}
        async with AsyncExitStack() as stack:
            if settings["QUEUE_BACKEND"] == "redis":
                port = await stack.enter_async_context(redis(directory))
                settings["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
            it = await stack.enter_async_context(
                trial(directory, seed, settings, fault_rate=0.0, part=bout.part, **conditions)
            )

            async def nothing() -> set[str]:  # whatever is open once its queues are empty is lost
                return set()

            async def verdict() -> Verdict:
                await it.settle(within_s=bout.wait_s)
                return await it.verdict()

            pids = it.recado.pids
            yield Scene(it.ledger, it.model, it.client, it.load, "worker", pids, it.shown, nothing, verdict)

    return opened
