"""What contacts and people of the shop do all day, and some things that they do seldom."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from .client import Client
from .ledger import Inbound, Ledger, Owed, Silence, Written
from .twilio import NOBODY

#: Webhooks a second in a usual second, and in a burst, which one second in five is.
USUAL_PER_S, BURST_PER_S = 20, 100

#: How many contacts write in turn. Few enough that conversations grow.
CONTACTS = 400

#: So many messages are under way at most. While Recado takes none, no more are begun: else the judge would do
#: nothing but repeat them.
MOST_AT_ONCE = 150

#: What a contact is told who opts out, and who opts in again.
OUT_TEXT, IN_TEXT = "Fora da lista.", "De volta."

#: How long a script waits for what has to come before it goes on, in seconds; after that it ends.
SCRIPT_PATIENCE_S = 45.0

#: How long a silence is listened to, in seconds.
SILENCE_S = 3.0


class Load:
    """Sends messages, and everything else, while it runs.

    Parameters:
      client: sends requests.
      ledger: where it is written down what is owed.
      dice: decides who writes what.
      account_sid: the account's.
      part: how much of the usual rate there is.
      scripts: whether contacts opt out, and people take part.
      oddities: whether messages are repeated, have pictures, or come from a number that Twilio does not know.

    Attributes:
      part: how much of the usual rate there is from now on.
    """

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        dice: random.Random,
        *,
        account_sid: str,
        part: float,
        scripts: bool,
        oddities: bool = True,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._dice = dice
        self._account_sid = account_sid
        self.part = part
        self._oddities = oddities
        self._scripts = (self._opts_out, self._is_handed_over, self._operator_writes) if scripts else ()
        self._others = iter(range(1_000, 10_000))
        self._scripted: set[str] = set()
        self._under_way = 0

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Send until it is over, and then what was begun, until the client's deadline."""
        second = 0
        async with asyncio.TaskGroup() as together:
            while not is_over():
                per_s = (BURST_PER_S if second % 5 == 4 else USUAL_PER_S) * self.part
                second += 1
                until = time.monotonic() + 1
                for script in self._dice.sample(self._scripts, 2 if self._scripts else 0):
                    together.create_task(self._counted(script()))
                while time.monotonic() < until:
                    if self._under_way < MOST_AT_ONCE:
                        together.create_task(self._counted(self._writes()))
                    await asyncio.sleep(self._dice.expovariate(per_s))

    async def _counted(self, work: Coroutine[Any, Any, None]) -> None:
        self._under_way += 1
        try:
            await work
        finally:
            self._under_way -= 1

    def _inbound(self, contact: str, owed: Owed = "answer") -> Inbound:
        sid = "SM" + secrets.token_hex(16)
        inbound = Inbound(self._ledger.token("m"), contact, sid, owed)
        self._ledger.inbound.append(inbound)
        return inbound

    def _new_contact(self) -> str:
        """A contact of one script alone: what is owed to them does not hang on what another script does."""
        contact = f"whatsapp:+551190000{next(self._others):04d}"
        self._scripted.add(contact)
        return contact

    async def _writes(self) -> None:
        """A message: repeated now and then, twice at the same time, or with a picture."""
        chance = self._dice.random() if self._oddities else 0.5
        contact = NOBODY if chance < 0.002 else f"whatsapp:+551190000{self._dice.randrange(1, CONTACTS):04d}"
        inbound = self._inbound(contact)
        text = f"Oi, {inbound.token}, tudo bem?"
        more = self._attachment() if self._oddities and self._dice.random() < 0.03 else None
        sends = [self._client.webhook(inbound, text, more) for _ in range(2 if chance > 0.96 else 1)]
        await asyncio.gather(*sends)
        if chance > 0.88:
            await asyncio.sleep(self._dice.uniform(0, 5))
            await self._client.webhook(inbound, text, more)

    async def _says(self, contact: str, owed: Owed) -> Inbound:
        inbound = self._inbound(contact, owed)
        await self._client.webhook(inbound, f"Olá, {inbound.token}.")
        return inbound

    def _attachment(self) -> dict[str, str]:
        message, media = f"MM{secrets.token_hex(16)}", f"ME{secrets.token_hex(16)}"
        path = f"/2010-04-01/Accounts/{self._account_sid}/Messages/{message}/Media/{media}"
        return {
            "NumMedia": "1",
            "MediaUrl0": f"https://api.twilio.com{path}",
            "MediaContentType0": "image/png",
        }

    async def _opts_out(self) -> None:
        """A contact opts out, writes all the same, opts in again, and is answered again."""
        contact = self._new_contact()
        await self._client.webhook(self._inbound(contact, "nothing"), "PARAR")
        if not await self._until(lambda: self._was_told(contact, OUT_TEXT)):
            return
        began = time.monotonic()
        await self._says(contact, "nothing")
        await asyncio.sleep(SILENCE_S)
        self._ledger.silences.append(Silence(contact, began, time.monotonic()))
        await self._client.webhook(self._inbound(contact, "nothing"), "VOLTAR")
        if await self._until(lambda: self._was_told(contact, IN_TEXT)):
            await self._says(contact, "answer")

    async def _is_handed_over(self) -> None:
        """A person takes a conversation over, answers, and hands it back, or does not."""
        contact = self._new_contact()
        first = await self._says(contact, "answer")
        if not await self._until(lambda: self._ledger.answered(first.token, contact)):
            return
        conversation = self._message_id(first)
        if await self._client.api("POST", f"/conversations/{conversation}/take") is None:
            return
        began = time.monotonic()
        await self._says(contact, "nothing")
        text = await self._operator_says(first)
        if not await self._until(lambda: self._ledger.answered(text.token, contact)):
            return  # what is written next might come before it
        await asyncio.sleep(SILENCE_S)
        if self._dice.random() < 0.5:
            self._ledger.silences.append(Silence(contact, began, time.monotonic()))
            if await self._client.api("POST", f"/conversations/{conversation}/hand-back") is not None:
                await self._says(contact, "answer")
        else:
            self._ledger.silences.append(Silence(contact, began, float("inf")))
            await self._says(contact, "person")

    async def _operator_writes(self) -> None:
        """A person writes in a conversation in which the assistant goes on."""
        elsewhere = {NOBODY, *self._scripted}
        lately = [each for each in self._ledger.inbound[-500:] if each.contact not in elsewhere]
        taken = [each for each in lately if each.is_taken]
        answered = [each for each in taken if self._ledger.answered(each.token, each.contact)]
        if answered:
            await self._operator_says(self._dice.choice(answered))

    async def _operator_says(self, to: Inbound) -> Written:
        text = Written(self._ledger.token("p"), to.contact, secrets.token_hex(8))
        self._ledger.written.append(text)
        body = f"Aqui é a Ana, {text.token}."
        sends = [
            self._client.say(text, self._message_id(to), body) for _ in range(self._dice.choice((1, 1, 2)))
        ]
        await asyncio.gather(*sends)
        if self._dice.random() < 0.3:
            await self._client.say(text, self._message_id(to), body)
        return text

    def _message_id(self, inbound: Inbound) -> str:
        return f"{self._account_sid}.{inbound.sid}"

    def _was_told(self, contact: str, text: str) -> bool:
        return any(message.body == text for message in self._ledger.sent_to(contact))

    async def _until(self, has_come: Callable[[], bool]) -> bool:
        """Wait for something; tell whether it came in time."""
        until = min(time.monotonic() + SCRIPT_PATIENCE_S, self._client.deadline)
        while not has_come():
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.2)
        return True
