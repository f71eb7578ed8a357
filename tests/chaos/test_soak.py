"""Two hundred conversations at once, in bursts of all kinds of messages, while workers are killed.

A run takes some twenty seconds on each engine; `CHAOS_SOAK_S=60` has it take a minute.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model import FakeModel, VoiceNote
from tests.fakes.twilio import FakeTwilio, attached
from tests.support.redis_server import RedisServer
from tests.support.system import Program, System
from tests.support.waiting import eventually

SOAK_S = float(os.environ.get("CHAOS_SOAK_S", "20"))

CONVERSATIONS = 200
WORKERS = 3
BURSTS_PER_S = 10

#: Known again in what the model is asked, and in what a customer gets.
TOKEN = re.compile(r"\bm\d{5}\b")

#: What comes in is gathered for so long.
GATHER_S = 0.5

#: One burst in so many has a last message that comes later: while the model thinks, or after the answer.
STRAGGLERS = 4
LATE_S = (GATHER_S, 3 * GATHER_S)

#: How long the model takes at most.
SLOWEST_S = 1.0

#: What is said before the conversation is read, to answer what is in there.
READS = "what is unanswered is read"

#: What a message says that was left to the message which holds the conversation: it is in there by then.
LEFT_TO_THE_HOLDER = "conversation is held: its holder looks again before it lets go"

ANSWERED_WITHIN_S = 120.0


@dataclass(frozen=True)
class Burst:
    """What a contact wrote in one go.

    Attributes:
      tokens: of its messages, in order.
      sids: Twilio's ids of these.
      late_s: how long the last of them comes after the others, in seconds.
    """

    contact: str
    tokens: tuple[str, ...]
    sids: tuple[str, ...]
    late_s: float


def answer_to(request: Mapping[str, Any]) -> str:
    """Name everything that is unanswered: what was said after the last answer."""
    said = [each for each in request["messages"] if each["role"] != "system"]
    unanswered = itertools.takewhile(lambda each: each["role"] == "user", reversed(said))
    found = [token for each in reversed([*unanswered]) for token in TOKEN.findall(each["content"])]
    return " ".join(dict.fromkeys(found))  # what a button says is there twice


def transcribed(note: VoiceNote) -> str:
    return note.content.decode()


class Soak:
    """A Recado under load, with a model that takes its time.

    Parameters:
      system: nothing runs in it yet.
      seed: who writes what, when, and who is killed.
    """

    def __init__(self, system: System, *, seed: int) -> None:
        self.system = system
        self._random = random.Random(seed)  # noqa: S311  no secret
        self._tokens = (f"m{number:05d}" for number in itertools.count())
        self._contacts = [system.contact() for _ in range(CONVERSATIONS)]
        self._workers: list[Program] = []
        self.kills = 0
        self.asked_at: dict[str, float] = {}  # by the answer, in seconds since the epoch

    def answer(self, request: Mapping[str, Any]) -> str:
        """Answer as the model, and note when it was first asked for that."""
        text = answer_to(request)
        self.asked_at.setdefault(text, time.time())
        return text

    def run(self) -> list[Burst]:
        """Have contacts write, and workers die; return what was written, once all of it is through."""
        bursts = [self._burst(self._contacts[n % CONVERSATIONS]) for n in range(int(SOAK_S * BURSTS_PER_S))]
        self.system.api()
        with ThreadPoolExecutor(16) as people:
            self._workers += people.map(lambda _: self.system.worker(), range(WORKERS))
            with self._killing():
                began, sent = time.monotonic(), []
                for number, (burst, webhooks) in enumerate(bursts):
                    time.sleep(max(0.0, began + number / BURSTS_PER_S - time.monotonic()))
                    sent.append(people.submit(self._send, webhooks, burst.late_s))
                for each in sent:
                    each.result()
        eventually(lambda: self.system.waiting() == 0, within_s=ANSWERED_WITHIN_S, every_s=0.2)
        return [burst for burst, _ in bursts]

    def _burst(self, contact: str) -> tuple[Burst, list[dict[str, str]]]:
        tokens = tuple(next(self._tokens) for _ in range(self._random.randint(1, 5)))
        webhooks = [self.system.parameters("", sender=contact) | self._said(token) for token in tokens]
        is_late = len(tokens) > 1 and self._random.randrange(STRAGGLERS) == 0
        late_s = self._random.uniform(*LATE_S) if is_late else 0.0
        return Burst(contact, tokens, tuple(each["MessageSid"] for each in webhooks), late_s), webhooks

    def _said(self, token: str) -> dict[str, str]:
        """Say it in one of the ways in which things are said."""
        attach = self.system.twilio.attach
        return self._random.choice(
            (
                lambda: {"Body": f"Oi {token}"},
                lambda: {"Body": f"Oi {token} 👋\nTudo bem?", "Forwarded": "true"},
                lambda: {"ButtonText": f"Plano {token}", "ButtonPayload": "b"},
                lambda: {"ListTitle": f"Plano {token}", "ListId": "b", "ListDescription": "o bom"},
                lambda: {"InteractiveData": json.dumps({"pedido": token})},
                lambda: {"Latitude": "-23.5", "Longitude": "-46.6", "Label": token},
                lambda: {"Body": token, "ReferralHeadline": "Bolo"},
                lambda: attached(attach(token.encode(), "audio/ogg")),
                lambda: {"Body": token} | attached(attach(b"\xff\xd8\xff", "image/jpeg")),
            )
        )()

    def _send(self, webhooks: list[dict[str, str]], late_s: float) -> None:
        for number, webhook in enumerate(webhooks, start=1):
            if number == len(webhooks):
                time.sleep(late_s)  # as people do
            assert self.system.webhook(webhook).status_code == 200

    @contextmanager
    def _killing(self) -> Iterator[None]:
        """Kill a worker every second, and start another in its place."""
        over = threading.Event()
        with ThreadPoolExecutor(WORKERS) as starting:

            def kill() -> None:
                while not over.wait(1.0):
                    if self._workers:
                        self._workers.pop(self._random.randrange(len(self._workers))).kill()
                        self.kills += 1
                        starting.submit(lambda: self._workers.append(self.system.worker()))

            killer = threading.Thread(target=kill)
            killer.start()
            yield
            over.set()
            killer.join()


@pytest.fixture(params=["sqlite", "redis"])
def soak(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Soak]:
    settings = {
        "AI_PROVIDER": "openai",
        "AI_API_KEY": "sk-1",
        "AI_MODEL": "a-model",
        "AI_TRANSCRIBE_MODEL": "a-listener",
        "LOG_LEVEL": "DEBUG",
        "QUEUE_MAX_DELIVERIES": "10",  # no message is to blame for its worker's death
        "REPLY_GATHER_MS": str(int(GATHER_S * 1_000)),
        "REPLY_UNKNOWN_POLICY": "resend",  # what Twilio has is in its list at once, so nothing is repeated
    }
    rng = random.Random(7)  # noqa: S311
    with ExitStack() as stack:
        model, twilio = stack.enter_context(FakeModel()), stack.enter_context(FakeTwilio())
        model.hears = transcribed
        model.latency_s = lambda: min(SLOWEST_S, rng.expovariate(5.0))
        if request.param == "redis":
            server = stack.enter_context(RedisServer(tmp_path))
            settings |= {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url}
        system = stack.enter_context(System(tmp_path, twilio, AI_BASE_URL=model.url, **settings))
        soak = Soak(system, seed=7)
        model.says = soak.answer
        yield soak


def test_every_message_is_answered_once_and_in_order_whatever_dies(soak: Soak) -> None:
    bursts = soak.run()

    system = soak.system
    assert soak.kills >= SOAK_S / 5  # a busy machine takes seconds to start a worker in a dead one's place
    replies = [(message.contact, TOKEN.findall(message.body)) for message in system.twilio.messages]
    written = {token: burst.contact for burst in bursts for token in burst.tokens}
    answered = Counter(token for _, tokens in replies for token in tokens)
    assert {token: n for token, n in answered.items() if n > 1} == {}, "none is answered twice"
    assert written.keys() - answered.keys() == set(), "every one is answered"
    assert all(written[token] == contact for contact, tokens in replies for token in tokens)
    assert all(tokens == sorted(tokens) for _, tokens in replies), "tokens count up in the order of webhooks"
    assert system.dead_letters() == []
    left_at, read_at = left_to_the_holder(system), reads(system)
    assert left_at
    assert [token for burst in bursts for token in left_out(soak, burst, left_at, read_at)] == []
    in_one_go = [burst for burst in bursts if not burst.late_s]
    of_one = sum(len(replies_to(system, burst)) == 1 for burst in in_one_go)
    assert of_one >= 0.5 * len(in_one_go), "most bursts are answered by one reply, in spite of the kills"


def replies_to(system: System, burst: Burst) -> list[list[str]]:
    """The tokens in each of the replies to a burst, in the order in which they were written.

    They may be sent in another: one that a killed worker had perhaps sent is looked for before it goes out.
    """
    found = [TOKEN.findall(message.body) for message in system.twilio.sent_to(burst.contact)]
    return sorted(tokens for tokens in found if set(tokens) & set(burst.tokens))


def left_out(
    soak: Soak, burst: Burst, left_at: Mapping[str, float], read_at: Mapping[str, list[float]]
) -> list[str]:
    """Return the messages of a burst that its first reply leaves out, though they were there to be read.

    Parameters:
      left_at: when each message was left to the one that held the conversation, by its SID.
      read_at: when a message that held the conversation read it, by that one's SID.
    """
    replies = replies_to(soak.system, burst)
    later = {token for tokens in replies[1:] for token in tokens}
    if not later:
        return []
    asked_at = soak.asked_at[" ".join(replies[0])]
    seen_at = max(at for sid in burst.sids for at in read_at.get(sid, ()) if at < asked_at)
    return [
        token
        for token, sid in zip(burst.tokens, burst.sids, strict=True)
        if token in later and left_at.get(sid, seen_at) < seen_at
    ]


def left_to_the_holder(system: System) -> Mapping[str, float]:
    """When messages were left to the one that held their conversation, by their SIDs."""
    return {line["message_sid"]: time_of(line) for line in reversed(system.logged(event=LEFT_TO_THE_HOLDER))}


def reads(system: System) -> Mapping[str, list[float]]:
    """When conversations were read by messages that held them, by their SIDs."""
    found: dict[str, list[float]] = {}
    for line in system.logged(event=READS):
        found.setdefault(line["message_sid"], []).append(time_of(line))
    return found


def time_of(line: Mapping[str, str]) -> float:
    """When a line was written, in seconds since the epoch."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()
