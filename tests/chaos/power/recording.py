"""A short life of an installation, with everything noted that happens to its disk."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from dramatiq import Worker
from fastapi import FastAPI

from actors.conversations import sqlite as conversations
from api.opening import Opening
from api.webhooks import webhook_routes
from brokers.sqlite.enqueue import Enqueue
from brokers.sqlite.storage import Database, wal_checkpoint
from brokers.sqlite.storage import connection as connection_module
from ops.webhook import MESSAGES_PATH, message_parameters
from tests.fakes.twilio import ACCEPT, Account, Answer, FakeTwilio, Message
from tests.support.power import disk, put_in_place
from tests.support.waiting import eventually

from .installation import ACCOUNT, TOKEN, Installation, settle_in

#: How many contacts there are, how often the installation is stopped and started, and how many bursts of how
#: many messages come in each time.
CONTACTS, LIVES, BURSTS, MOST_IN_A_BURST = 6, 3, 3, 4

#: How Twilio may answer a call, beside taking the message.
ANSWERS = (
    Answer(429, 20429, stores=False, retry_after="0"),
    Answer(503, 20503, stores=True),
    Answer(stores=True, drops=True),
)


def syncs_no_message() -> None:
    """A message counts as stored before it is on disk."""
    Enqueue.durable = False


def syncs_no_conversation() -> None:
    """What is written of conversations counts as stored before it is on disk, also that a call begins."""
    write = Database.write

    def writing(database: Database, apply: Any, *, durable: bool = True) -> Any:
        return write(database, apply, durable=durable and database.path.name != "conversations.db")

    vars(conversations)["Database"] = type("Database", (Database,), {"write": writing})


#: What a cut has to bring to light.
FAULTS = {each.__name__: each for each in (syncs_no_message, syncs_no_conversation)}


def record(channel: Connection, directory: Path, seed: int, fault: str = "") -> None:
    """Live, in a process of its own; send what happened to the disk.

    Parameters:
      channel: where to.
      directory: for the databases.
      seed: decides who writes what and when, and what fails meanwhile.
      fault: one of `FAULTS`, built in on purpose.
    """
    put_in_place()
    if fault:
        FAULTS[fault]()
    dice = random.Random(seed)  # noqa: S311  no secret
    _make_logs_short(dice)
    with FakeTwilio() as twilio:
        base = settle_in(twilio.url)
        account = twilio.account(ACCOUNT)
        account.auth_token = TOKEN
        account.answer(*(dice.choice(ANSWERS) if dice.random() < 0.3 else ACCEPT for _ in range(100)))
        accept = account.accept

        def note_and_accept(form: Mapping[str, str], *, is_listed: bool) -> Message:
            message = accept(form, is_listed=is_listed)
            disk.mark(("accepted", message))
            return message

        tokens = (f"m{seed}x{number:03d}" for number in itertools.count())
        with patch.object(account, "accept", note_and_accept):
            for _ in range(LIVES):
                installation = Installation(directory, base)
                asyncio.run(_live(installation, account, dice, tokens))
                installation.close()
    channel.send(disk.events)


def _make_logs_short(dice: random.Random) -> None:
    """Have checkpoints, and logs that begin anew or are cut, also in a short life."""
    step = 8
    wal_checkpoint.CHECKPOINT_PAGES = dice.choice((12, 40, 4_000))
    wal_checkpoint.FIRST_PAGES = 4
    wal_checkpoint.STEP_PAGES = step
    wal_checkpoint._ZEROS = bytes(step * connection_module.PAGE_BYTES)
    vars(wal_checkpoint)["KEPT_PAGES"] = connection_module.KEPT_PAGES = dice.choice((24, 60))
    connection_module.AUTOCHECKPOINT_PAGES = dice.choice((30, 16_000))


async def _live(installation: Installation, account: Account, dice: random.Random, tokens: Any) -> None:
    app = FastAPI(openapi_url=None)
    opening = Opening(lambda: None)
    opening.trouble = None
    app.include_router(webhook_routes(installation.api, None, opening))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://recado")
    await asyncio.to_thread(installation.spooled.start, timeout_s=30)
    worker = Worker(installation.broker, worker_threads=2, worker_timeout=50, queues={"messages", "replies"})
    worker.start()
    try:
        for _ in range(BURSTS):
            installation.engine.is_away = dice.random() < 0.4
            contacts = [
                f"whatsapp:+5511900000{dice.randrange(CONTACTS):03d}"
                for _ in range(dice.randint(1, MOST_IN_A_BURST))
            ]
            webhooks = [
                message_parameters(
                    next(tokens), sender=contact, to="whatsapp:+15005550006", account_sid=ACCOUNT
                )
                for contact in contacts
            ]
            await asyncio.gather(*(_post(client, each) for each in webhooks))
            _act_as_an_operator(installation, dice)
            await asyncio.sleep(dice.choice((0, 0.01, 0.05)))
            await _report(client, account, dice)
        installation.engine.is_away = False
        await asyncio.to_thread(eventually, lambda: not installation.waiting(), within_s=60)
        await _report(client, account, dice)
        await asyncio.to_thread(eventually, lambda: not installation.waiting(), within_s=60)
    finally:
        await asyncio.to_thread(worker.stop)
        await client.aclose()


async def _post(client: httpx.AsyncClient, parameters: Mapping[str, str]) -> None:
    disk.mark(("asked", parameters))
    response = await client.post(MESSAGES_PATH, data=dict(parameters))
    if response.status_code == 200:
        disk.mark(("promised", parameters))


def _act_as_an_operator(installation: Installation, dice: random.Random) -> None:
    if dice.random() < 0.5:
        entry = installation.audit.record("dead.replay", "a message", who="ana", address="127.0.0.1")
        disk.mark(("audited", entry))
    if dice.random() < 0.3:
        session = f"session-{dice.random()}"
        installation.sign_outs.add(session, int(time.time()) + 86_400)
        disk.mark(("signed out", session))


async def _report(client: httpx.AsyncClient, account: Account, dice: random.Random) -> None:
    """Tell of deliveries; of some twice."""
    for message in [each for each in account.messages if each.status != "delivered" or dice.random() < 0.1]:
        assert message.status_callback is not None
        query = message.status_callback.partition("?")[2].partition("#")[0]
        parameters = {
            "AccountSid": ACCOUNT,
            "From": message.address,
            "MessageSid": message.sid,
            "MessageStatus": "delivered",
            "To": message.contact,
        }
        response = await client.post(f"/webhooks/twilio/status?{query}", data=parameters)
        if response.status_code == 200:
            message.status = "delivered"
            disk.mark(("reported", query.removeprefix("reply=")))
