"""Has a contact write so that a message comes past a point, and sees what came of it."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from fastapi import HTTPException

from actors.keys import ConversationKey
from ops.webhook import MESSAGES_PATH, signed
from tests.fakes.model import FakeModel, VoiceNote
from tests.fakes.twilio import attached
from tests.support import plain_http
from tests.support.system import ADDRESS, PUBLIC_URL, SMS_ADDRESS, System
from tests.support.waiting import eventually

from .hooks import DONE
from .points import ASKED_AGAIN, POINTS, How

#: Known again in what the model is asked, and in what a customer gets.
TOKEN = re.compile(r"\b[nrl]\d{3}\b")

#: A deadline for all that has to happen, in seconds. Generous, and not a measure.
PATIENCE_S = 60.0


def answer(request: Mapping[str, Any]) -> str:
    """Answer as the model: name what is unanswered, refuse, or have much to say."""
    said = [each for each in request["messages"] if each["role"] != "system"]
    unanswered = itertools.takewhile(lambda each: each["role"] == "user", reversed(said))
    tokens = [token for each in unanswered for token in TOKEN.findall(each["content"])]
    if any(token.startswith("r") for token in tokens):
        raise HTTPException(400)
    if any(token.startswith("l") for token in tokens):
        return f"{' '.join(tokens)} {'a' * 1_000}\n\n{'b' * 1_000}"
    return " ".join(tokens)


def transcribe(note: VoiceNote) -> str:
    return note.content.decode()


class Case:
    """One contact, and what it wrote.

    Parameters:
      system: the programs run in it.
      model: answers.
      url: where the API is.
      point, how: what is to happen there.
      number: tells the contacts of a test apart.
    """

    def __init__(
        self, system: System, model: FakeModel, url: str, *, point: str, how: How, number: int
    ) -> None:
        self._system, self._model, self._url = system, model, url
        self._point, self._scene = point, POINTS[point].scene
        self._orders = Path(system.settings["STEP_ORDERS"])
        self._how = how
        self._contact = system.contact("" if self._scene == "sms" else "whatsapp:")
        kind = {"refused": "r", "long answer": "l"}.get(self._scene, "n")
        self.tokens = [f"{kind}{number:03d}"] + [f"{kind}{number + 500:03d}"] * (self._scene == "burst")

    def begin(self) -> None:
        """Give the order, and have the contact write."""
        order = self._orders / self._point
        order.with_suffix(".tmp").write_text(self._how)
        order.with_suffix(".tmp").rename(order)
        if self._scene == "lost answer":
            self._system.twilio.drop(stores=True, to=self._contact)
        if self._scene == "burst":
            self._system.queue.pause("messages")
        for token in self.tokens:
            self._post(MESSAGES_PATH, self._webhook(token))
        if self._scene == "burst":
            self._system.queue.resume("messages")
        if self._scene == "callback":
            self._report()

    def is_through(self) -> bool:
        """Whether the order was carried out."""
        return (self._orders / (self._point + DONE)).exists()

    def seen(self) -> str:
        """What came of it, in the words of the points."""
        bodies = self._system.twilio.bodies_to(self._contact)
        answered = [token for body in bodies for token in TOKEN.findall(body)]
        told = self._is_told()
        if sorted(answered) == sorted(self.tokens) and not told:
            return ASKED_AGAIN if self._how == "killed" and self._times_asked() > 1 else "answered once"
        if not answered:
            return "told" if told else "lost"
        return f"answered: {answered}, told: {told}"

    def _times_asked(self) -> int:
        """How often the model was asked for its first message, this being new."""
        new = [json.dumps(request["messages"][-len(self.tokens) :]) for request in self._model.asked]
        return sum(self.tokens[0] in said for said in new)

    def _is_told(self) -> bool:
        for letter in self._system.dead_letters():
            subject = json.loads(letter.payload)["args"][0]
            if isinstance(subject, dict):
                contact = subject.get("From")
            else:
                reply = self._system.conversations.reply(subject)
                contact = None if reply is None else reply.contact
            if contact == self._contact:
                return True
        attention = self._system.conversations.reader.attention(limit=1_000)
        return any(ConversationKey.read(each.conversation).contact == self._contact for each in attention)

    def _webhook(self, token: str) -> dict[str, str]:
        to = SMS_ADDRESS if self._scene == "sms" else ADDRESS
        if self._scene == "voice note":
            note = self._system.twilio.attach(token.encode(), "audio/ogg")
            return self._system.parameters("", sender=self._contact, to=to) | attached(note)
        return self._system.parameters(token, sender=self._contact, to=to)

    def _report(self) -> None:
        sent = self._system.twilio.sent_to
        eventually(lambda: sent(self._contact), within_s=PATIENCE_S)
        [message] = sent(self._contact)
        assert message.status_callback is not None
        query = message.status_callback.partition("?")[2].partition("#")[0]
        parameters = {
            "AccountSid": message.account_sid,
            "From": message.address,
            "MessageSid": message.sid,
            "MessageStatus": "delivered",
            "To": message.contact,
        }
        self._post(f"/webhooks/twilio/status?{query}", parameters)

    def _post(self, path: str, parameters: Mapping[str, str]) -> None:
        """Post a webhook, and repeat it, as Twilio does, until it has its 200."""
        token = self._system.settings["TWILIO_AUTH_TOKEN"]
        body, headers = signed(PUBLIC_URL + path, parameters, auth_token=token)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                if (
                    plain_http.post(self._url + path, content=body, headers=headers, timeout=15).status_code
                    == 200
                ):
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "no 200"
            time.sleep(0.02)
