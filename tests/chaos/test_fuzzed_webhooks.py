"""Webhooks of any kind, as a seed decides: none is a 500, no worker dies of one, and each promise is kept.

Some ten seconds; `FUZZ_REQUESTS=100000` has it take half an hour, `FUZZ_SEED` has it make other requests.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ops.webhook import MESSAGES_PATH, signed
from tests.fakes.twilio import FakeTwilio
from tests.support.strangeness import BODIES, CONTENT_TYPES, REQUESTS, SEED, strange_text
from tests.support.system import PUBLIC_URL, Api, Program, System

#: By how much a process may grow meanwhile, in MB: what it needs for the first of each kind, and no more.
GROWS_MB = 64.0

STATUS_PATH = "/webhooks/twilio/status"

#: What Twilio tells of a message beside who wrote what to whom.
FIELDS = (
    *(
        "Body",
        "ProfileName",
        "NumMedia",
        "NumSegments",
        "MediaUrl0",
        "MediaContentType0",
        "MediaUrl9",
        "WaId",
    ),
    *("Latitude", "Longitude", "Address", "Label", "ButtonText", "ButtonPayload", "ListId", "ListTitle"),
    *("OriginalRepliedMessageSid", "OriginalRepliedMessageSender", "Forwarded", "FrequentlyForwarded"),
    *("ReferralBody", "ReferralSourceUrl", "ReferralHeadline", "InteractiveData", "FlowData", "MessageType"),
    *("ChannelMetadata", "OptOutType", "ApiVersion", "Contacts", "X" * 300),
)

#: Those that say whose message it is, and that it came in. What is wrong with them is refused, or ignored.
NAMES = ("From", "To", "MessageSid", "AccountSid", "MessagingServiceSid", "SmsStatus")

STATUS_FIELDS = (
    *("MessageSid", "MessageStatus", "ErrorCode", "To", "From", "ChannelStatusMessage", "RawDlrDoneDate"),
)

PATHS = (MESSAGES_PATH, STATUS_PATH, STATUS_PATH + "?reply=%00", "/webhooks/twilio/voice")


class Fuzz:
    """Makes requests, and remembers what was promised."""

    def __init__(self, system: System, seed: int) -> None:
        self._system = system
        self._random = random.Random(seed)  # noqa: S311
        self._http = system.http
        self.answers: Counter[tuple[str, int]] = Counter()
        self.promised: dict[str, dict[str, str]] = {}

    def run(self, requests: int) -> None:
        kinds = (self.hostile, self.hostile, self.misnamed, self.callback, self.forged, self.raw)
        for _ in range(requests):
            kind = self._random.choice(kinds)
            answer = kind()
            self.answers[kind.__name__, answer.status_code] += 1
            assert answer.status_code < 500, (kind.__name__, answer.status_code, answer.request.content[:500])

    def _parameters(self, names: tuple[str, ...]) -> dict[str, str]:
        sid = "SM" + f"{self._random.getrandbits(128):032x}"
        parameters = self._system.parameters("Oi", sender=self._system.contact(), sid=sid)
        chosen = self._random.sample(names, self._random.randint(1, min(6, len(names))))
        return parameters | {name: strange_text(self._random) for name in chosen}

    def _post(self, path: str, body: bytes, headers: dict[str, str] | dict[bytes, bytes]) -> httpx.Response:
        return self._http.post(self._system.url + path, content=body, headers=headers)

    def _signed(self, path: str, parameters: dict[str, str]) -> httpx.Response:
        body, headers = signed(
            PUBLIC_URL + path, parameters, auth_token=self._system.settings["TWILIO_AUTH_TOKEN"]
        )
        return self._post(path, body, headers)

    def hostile(self) -> httpx.Response:
        """A message of a contact, signed, in which nothing but its names has to be as Twilio writes it."""
        parameters = self._parameters(FIELDS)
        answer = self._signed(MESSAGES_PATH, parameters)
        if answer.status_code == 200:
            self.promised[parameters["MessageSid"]] = parameters
        return answer

    def misnamed(self) -> httpx.Response:
        """A message, signed, of which it may not be told whose it is."""
        return self._signed(MESSAGES_PATH, self._parameters(NAMES))

    def callback(self) -> httpx.Response:
        path = STATUS_PATH + "?reply=" + secrets.token_hex(self._random.choice((0, 4, 16)))
        parameters = {"MessageSid": "SM" + "5" * 32, "MessageStatus": "delivered"}
        chosen = self._random.sample(STATUS_FIELDS, 2)
        return self._signed(path, parameters | {name: strange_text(self._random) for name in chosen})

    def forged(self) -> httpx.Response:
        """A message whose signature is another's, or no signature at all."""
        body, headers = signed(PUBLIC_URL + MESSAGES_PATH, self._parameters(FIELDS), auth_token="another")
        headers["X-Twilio-Signature"] = self._random.choice(("", "=", "a" * 2_000, "AAAA", "\xe9"))
        return self._post(MESSAGES_PATH, body, {n.encode(): v.encode("latin-1") for n, v in headers.items()})

    def raw(self) -> httpx.Response:
        """Bytes under some content type."""
        bodies = (*BODIES, self._random.randbytes(self._random.choice((1, 100, 10_000, 70_000))))
        headers = {"Content-Type": self._random.choice(CONTENT_TYPES), "X-Twilio-Signature": "AAAA"}
        return self._post(self._random.choice(PATHS), self._random.choice(bodies), headers)


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[tuple[System, Api, Program]]:
    with (
        FakeTwilio() as twilio,
        System(tmp_path, twilio, AI_PROVIDER="echo", MESSAGE_MAX_RETRIES="2") as system,
    ):
        yield system, system.api(), system.worker()


def memory_mb(program: Program) -> float:
    pages = int(Path(f"/proc/{program.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.mark.timeout(600 + REQUESTS // 10)
def test_whatever_comes_in_is_answered_and_harms_nothing(attacked: tuple[System, Api, Program]) -> None:
    system, api, worker = attacked
    fuzz = Fuzz(system, SEED)
    before = [memory_mb(program) for program in (api, worker)]
    began = time.monotonic()
    try:
        fuzz.run(REQUESTS)
        system.settle()
    finally:  # a run that is stopped says what it saw as well
        after = [memory_mb(program) for program in (api, worker)]
        print(f"{sum(fuzz.answers.values())} requests, {time.monotonic() - began:.0f} s")
        print(sorted(fuzz.answers.items()), f"memory, MB: {before} -> {after}")
    assert api.is_alive()
    assert worker.is_alive()
    assert all(now < then + GROWS_MB for then, now in zip(before, after, strict=True))
    assert len(fuzz.promised) > REQUESTS / 5
    assert "Traceback" not in api.log
    assert not [event for event in worker.events if "exception" in event], "a worker raised"
    letters = b"".join(letter.payload for letter in system.dead_letters())
    promised, answered = fuzz.promised.values(), answered_contacts(system)
    assert [each for each in promised if each["From"] not in answered] == [
        each for each in promised if each["MessageSid"].encode() in letters
    ]


def answered_contacts(system: System) -> set[str]:
    """Return the contacts who have an answer. Each wrote once."""
    reader = system.conversations.reader
    return {
        each.contact
        for each in reader.conversations(limit=REQUESTS)
        if any(entry.author == "us" for entry in reader.thread(each.conversation))
    }
