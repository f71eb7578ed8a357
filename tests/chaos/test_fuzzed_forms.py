"""Forms of the dashboard of any kind, as a seed decides: none is a 500, and nothing is done for strangers.

`FUZZ_REQUESTS` says how many there are, `FUZZ_SEED` has it send others.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from api.audit_log import AuditLog
from api.dashboard.access.permissions import POSTS
from tests.fakes.twilio import FakeTwilio
from tests.support import plain_http
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.strangeness import BODIES, CONTENT_TYPES, REQUESTS, SEED, strange_text
from tests.support.system import PATIENCE_S, Api, Program, System

PASSWORD = "a password of hers"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
OTHER_SITE = {"Sec-Fetch-Site": "cross-site"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

#: All that a form is sent to, under /dashboard, and all but the one that ends the session.
FORMS = (*POSTS, "/login", "/logout")
STAYING = FORMS[:-1]

#: The fields of all forms.
FIELDS = (
    *("token", "text", "note", "note_id", "key", "seen", "contact", "from", "template", "conversation"),
    *("id", "entry", "every", "stop", "of", "queue", "actor", "reason", "state", "before", "since", "show"),
    *("found", "around", "first", "second", "phone", "worker", "message", "name", "password", "next", "x"),
    *("variable1", "variables", "died_since", "died_before", "offset", "day", "action"),
)

#: What a form may well say; and bytes that are no text, or no form.
USUAL = (b"1", b"x", b"write", b"replay", b"discard", b"on", b"%2B5511900000009", b"messages", b"2026-11-28")
NO_TEXT = (b"\xff\xfe", b"%ff%fe", b"%00", b"%ed%a0%80", b"%", b"\0", b"a" * 70_000)


class Forms:
    """Sends forms, as an admin who is signed in, and as others.

    Parameters:
      system: has conversations with replies, and a dead letter.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._random = random.Random(SEED)  # noqa: S311
        self.answers: Counter[tuple[str, int]] = Counter()
        self.admin, self.stranger = (
            plain_http.client(base_url=system.url, timeout=PATIENCE_S) for _ in range(2)
        )
        signs_in = {"token": self._token("login"), "name": "Ana", "password": PASSWORD}
        assert self.admin.post("/dashboard/login", data=signs_in, headers=SAME_SITE).status_code == 303
        self.token = self._token("conversations")
        reader = system.conversations.reader
        talks = reader.conversations()
        entries = [entry for each in talks for entry in reader.thread(each.conversation)]
        replies = [entry.reply_id for entry in entries if entry.reply_id is not None]
        dead = [each.message_id for each in system.dead_letters()]
        self._known = {
            "message_id": [*dead, *(str(each.message_id) for each in talks)],
            "reply_id": replies,
            "entry_id": replies,
            "queue": ["messages", "attic"],
        }

    def _token(self, page: str) -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.admin.get(f"/dashboard/{page}").text)
        assert found is not None
        return found[1]

    def address(self, forms: Sequence[str] = STAYING) -> str:
        """Return what a form is sent to, most often of something that is there."""

        def part(name: re.Match[str]) -> str:
            is_known = self._random.random() < 0.8
            text = self._random.choice(self._known[name[1]]) if is_known else strange_text(self._random)[:500]
            return quote(text, safe="") or "%00"

        return "/dashboard" + re.sub(r"\{(\w+)\}", part, self._random.choice(forms))

    def fields(self, token: str | None) -> bytes:
        """Return a form with some fields: strange ones, usual ones, repeated ones."""
        fields = [] if token is None else [b"token=" + token.encode()]
        for name in self._random.choices(FIELDS, k=self._random.randint(0, 8)):
            strange = quote(strange_text(self._random), safe="").encode()
            value = self._random.choice((strange, self._random.choice(USUAL), self._random.choice(NO_TEXT)))
            fields.append(name.encode() + b"=" + value)
        return b"&".join(fields)

    def hostile(self) -> httpx.Response:
        """Send a form of the admin's, from a page of the dashboard."""
        return self.admin.post(self.address(), content=self.fields(self.token), headers={**SAME_SITE, **FORM})

    def raw(self) -> httpx.Response:
        """Send bytes of the admin's under some content type."""
        body = self._random.choice((*BODIES, self._random.randbytes(1_000)))
        kind = {"Content-Type": self._random.choice(CONTENT_TYPES)}
        return self.admin.post(self.address(), content=body, headers={**SAME_SITE, **kind})

    def file(self) -> httpx.Response:
        """Send a file, where no form takes one."""
        files = {self._random.choice(FIELDS): ("../a\0.html", self._random.randbytes(1_000))}
        fields = {"token": self.token}
        return self.admin.post(self.address(), data=fields, files=files, headers=SAME_SITE)

    def without_token(self) -> httpx.Response:
        """Send a form of the admin's with no token or another's, or from a page of another site."""
        site, token = self._random.choice(
            ((SAME_SITE, None), (SAME_SITE, "x"), ({}, self.token), (OTHER_SITE, self.token))
        )
        return self.admin.post(self.address(FORMS), content=self.fields(token), headers={**site, **FORM})

    def not_signed_in(self) -> httpx.Response:
        """Send a form with the admin's token, from a browser that is not signed in."""
        return self.stranger.post(
            self.address(FORMS), content=self.fields(self.token), headers={**SAME_SITE, **FORM}
        )

    def close(self) -> None:
        self.admin.close()
        self.stranger.close()

    def run(self, requests: int, *kinds: str) -> None:
        """Send so many forms of these kinds."""
        for _ in range(requests):
            kind = self._random.choice(kinds)
            answer = getattr(self, kind)()
            self.answers[kind, answer.status_code] += 1
            assert answer.status_code < 500, (kind, answer.request.url, answer.request.content[:500])


@pytest.fixture(params=["sqlite", "redis"])
def attacked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[System, Api, Program]]:
    """An installation with all that the dashboard has forms for."""
    settings = {"AI_PROVIDER": "echo", "DASHBOARD_TRY_IT": "true", "REPLY_SENDER": "console"}
    with ExitStack() as stack:
        if request.param == "redis":
            server = stack.enter_context(RedisServer(tmp_path))
            settings |= {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url}
        twilio = stack.enter_context(FakeTwilio())
        system = stack.enter_context(System(tmp_path, twilio, API_PORT=str(free_port()), **settings))
        system.run("users", "create", "--name", "Ana", "--role", "admin", typed=f"{PASSWORD}\n")
        api, worker = system.api(), system.worker()
        for text in ("Oi", "Tudo bem?", "Tchau"):
            system.write(text, sender=system.contact())
        system.settle()
        system.enqueue("attic", "work")
        [delivery] = system.queue.dequeue("attic", limit=1, timeout_s=10)
        system.queue.nack(delivery, reason="failed", error="no")
        system.queue.sync()
        yield system, api, worker


@pytest.mark.timeout(600 + REQUESTS // 5)
def test_whatever_a_form_says_is_answered(attacked: tuple[System, Api, Program]) -> None:
    system, api, worker = attacked
    with closing(Forms(system)) as forms:
        forms.run(REQUESTS, "hostile", "hostile", "hostile", "raw", "file", "without_token", "not_signed_in")
        assert forms.admin.get("/dashboard/").status_code == 200, "the session goes on"
    print(sorted(forms.answers.items()))
    assert api.is_alive()
    assert worker.is_alive()
    assert "Traceback" not in api.log
    assert {200, 303, 403, 404} <= {status for kind, status in forms.answers if kind == "hostile"}


@pytest.mark.timeout(600 + REQUESTS // 5)
def test_without_a_session_or_a_token_nothing_is_done(attacked: tuple[System, Api, Program]) -> None:
    system, api, _ = attacked
    with closing(Forms(system)) as forms:
        before = state_of(system)
        forms.run(REQUESTS, "without_token", "not_signed_in")
        assert forms.admin.get("/dashboard/").status_code == 200, "the session goes on"
    print(sorted(forms.answers.items()))
    assert {status for _, status in forms.answers} <= {400, 401, 403, 404, 405}
    assert state_of(system) == before
    assert "Traceback" not in api.log


def state_of(system: System) -> tuple[object, ...]:
    """Return all that a form can change: what was done, what waits, who said what, and whose turn it is."""
    reader = system.conversations.reader
    talks = reader.conversations()
    with closing(AuditLog(system.directory / "audit.db")) as audit:
        done = audit.list(limit=1_000)
    return (
        done,
        [(each.queue, each.ready, each.delayed, each.dead, each.paused) for each in system.queue.stats()],
        [each.message_id for each in system.dead_letters()],
        talks,
        [reader.thread(each.conversation) for each in talks],
    )
