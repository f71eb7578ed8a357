"""The dashboard over HTTP: who gets in, what they may do, and that it stands in nobody's way."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import SETTINGS, Stage
from tests.support import plain_http
from tests.support.redis_server import RedisServer
from tests.support.system import PATIENCE_S, System
from tests.support.waiting import eventually

from .conftest import MakeSystem

PASSWORDS = {"DASHBOARD_PASSWORD": "a password of operators", "DASHBOARD_READONLY_PASSWORD": "of viewers"}

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


class Browser:
    """An HTTP client that keeps cookies and fills in forms.

    Parameters:
      url: the API's.
    """

    def __init__(self, url: str, **headers: str) -> None:
        self.http = plain_http.client(base_url=url, timeout=PATIENCE_S, headers=headers)
        self.page = ""

    def get(self, path: str = "/dashboard/") -> httpx.Response:
        answer = self.http.get(path)
        self.page = answer.text
        return answer

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        """Send a form of the page that was last got."""
        found = re.search(r'name="token" value="([^"]+)"', self.page)
        token = found.group(1) if found else ""
        sent = SAME_SITE if headers is None else headers
        return self.http.post(path, data={"token": token, **fields}, headers=sent)

    def sign_in(self, password: str) -> httpx.Response:
        self.get("/dashboard/login")
        return self.post("/dashboard/login", password=password, next="/dashboard/audit")


@contextmanager
def browser(system: System, **headers: str) -> Iterator[Browser]:
    somebody = Browser(system.url, **headers)
    with somebody.http:
        yield somebody


@pytest.fixture
def system(tmp_path: Path, twilio: FakeTwilio) -> Iterator[System]:
    """An API that is about to be started, on a file."""
    with System(tmp_path, twilio, AI_PROVIDER="echo") as system:
        yield system


# -- who gets in -----------------------------------------------------------------------------------------


def test_without_a_password_only_this_machine_gets_in(system: System) -> None:
    system.api()
    with browser(system) as here, browser(system, **{"X-Forwarded-For": "203.0.113.9"}) as there:
        assert here.get().status_code == 200
        refused = there.get()
        assert refused.status_code == 403
        assert "DASHBOARD_PASSWORD" in refused.text
        for path in (
            "conversations",
            "dead-letters",
            "audit",
            "history",
            "events",
            "messages/x",
            "login",
            "x",
        ):
            assert there.get(f"/dashboard/{path}").status_code == 403, path
        assert here.http.get("/dashboard/", headers={"Host": "evil.example"}).status_code == 403
        assert here.http.get("/dashboard").headers["location"] == "/dashboard/"


def test_every_answer_tells_the_browser_to_be_careful(system: System) -> None:
    system.api()
    with browser(system) as somebody:
        for path in ("", "conversations", "nothing", "history", "static/dashboard.css"):
            headers = somebody.get(f"/dashboard/{path}").headers
            assert "default-src 'none'" in headers["content-security-policy"], path
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
        assert somebody.get().headers["cache-control"] == "no-store"
        assert "immutable" in somebody.get("/dashboard/static/dashboard.css").headers["cache-control"]
        assert "content-security-policy" not in somebody.get("/healthz").headers
        assert not re.search(r"<(script|style)>|\son\w+=|\sstyle=", somebody.get().text)


def test_there_is_none_where_there_shall_be_none(system: System) -> None:
    system.settings["DASHBOARD_ENABLED"] = "false"
    system.api()
    with browser(system) as somebody:
        assert somebody.get("/dashboard/").status_code == 404
        assert somebody.get("/dashboard").status_code == 404
        assert somebody.get("/healthz").status_code == 200


def test_a_password_opens_it_until_one_signs_out(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    with browser(system) as somebody:
        asked = somebody.get("/dashboard/conversations?from=50")
        assert asked.status_code == 303
        assert asked.headers["location"] == "/dashboard/login?next=%2Fdashboard%2Fconversations%3Ffrom%3D50"
        assert somebody.sign_in("wrong").status_code == 401
        assert somebody.get().status_code == 303

        signed_in = somebody.sign_in(PASSWORDS["DASHBOARD_PASSWORD"])
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/dashboard/audit")
        cookie = next(each for each in signed_in.headers.get_list("set-cookie") if "recado_session" in each)
        assert {"HttpOnly", "SameSite=strict", "Path=/dashboard"} <= set(cookie.split("; "))
        assert somebody.get("/dashboard/audit").status_code == 200
        assert "sign in" in somebody.page

        copied = somebody.http.cookies["recado_session"]
        assert somebody.post("/dashboard/logout").status_code == 303
        assert somebody.get().status_code == 303
        somebody.http.cookies.set("recado_session", copied, path="/dashboard")
        assert somebody.get().status_code == 303, "a cookie that was copied before is worth nothing either"
    for secret in PASSWORDS.values():
        assert secret not in system.logs()


def test_cookies_are_for_https_where_the_world_comes_by_https(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    with browser(system) as here, browser(system, **{"X-Forwarded-For": "203.0.113.9"}) as there:
        assert "Secure" not in here.get("/dashboard/login").headers["set-cookie"]
        assert "Secure" in there.get("/dashboard/login").headers["set-cookie"]


def test_a_stranger_behind_the_same_proxy_keeps_no_operator_out(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    with browser(system) as operator, browser(system) as stranger:
        assert operator.sign_in(PASSWORDS["DASHBOARD_PASSWORD"]).status_code == 303
        operator.get()
        assert operator.post("/dashboard/logout").status_code == 303
        statuses = [stranger.sign_in("wrong").status_code for _ in range(11)]
        assert statuses == [401] * 10 + [429]

        assert operator.sign_in(PASSWORDS["DASHBOARD_PASSWORD"]).status_code == 303


def test_passwords_cannot_be_guessed_for_long(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    with browser(system) as somebody:
        answers = [somebody.sign_in("wrong").status_code for _ in range(12)]
        assert answers[:10] == [401] * 10
        assert answers[-1] == 429
        assert somebody.sign_in(PASSWORDS["DASHBOARD_PASSWORD"]).status_code == 429


def test_a_proxy_names_users_and_their_roles(system: System) -> None:
    system.settings |= {
        "DASHBOARD_AUTH_HEADER": "X-Forwarded-User",
        "DASHBOARD_TRUSTED_PROXIES": "127.0.0.1/32",
        "DASHBOARD_OPERATORS": "maria",
        "PUBLIC_BASE_URL": "http://recado.example.com",  # by https, this client would keep no cookie
    }
    system.api()
    message_id = system.enqueue("attic", "work", {"phone": "+5511900001234"})
    with browser(system) as nobody:
        assert nobody.get().status_code == 403
    for name, status in (("maria", 303), ("jose", 403)):
        with browser(system, **{"X-Forwarded-User": name, "X-Forwarded-For": "203.0.113.9"}) as user:
            assert name in user.get("/dashboard/queues/attic").text
            assert user.post("/dashboard/queues/attic/pause").status_code == status
            assert message_id in user.page
    with browser(system, **{"X-Forwarded-User": "jose", "X-Forwarded-For": "203.0.113.9"}) as user:
        audit = user.get("/dashboard/audit").text
        assert "maria" in audit
        assert "203.0.113.9" in audit
        assert audit.count("pause queue") == 1


# -- what they may do ------------------------------------------------------------------------------------


def test_a_viewer_changes_nothing_and_finds_out_no_number(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    message_id = system.enqueue("attic", "work", {"phone": "+5511900001234"})
    with browser(system) as viewer:
        viewer.sign_in(PASSWORDS["DASHBOARD_READONLY_PASSWORD"])
        shown = viewer.get(f"/dashboard/messages/{message_id}").text
        assert "+55•••••••34" in shown
        assert "+5511900001234" not in shown
        assert "Reveal" not in shown
        for path in (
            "queues/attic/pause",
            f"messages/{message_id}/reveal",
            "dead-letters/begin",
        ):
            refused = viewer.post(f"/dashboard/{path}", every="1")
            assert refused.status_code == 403, path
            assert "+5511900001234" not in refused.text
        for search in ("queues/attic?text=5511", "dead-letters?text=%2B55"):
            assert viewer.get(f"/dashboard/{search}").status_code == 403, search
        assert viewer.post("/dashboard/conversations/search", text="1234").status_code == 403
        assert viewer.get("/dashboard/audit").text.count("<tr>") == 2, "the heading, and who signed in"
    assert not any(stats.paused for stats in system.queue.stats())


def test_a_viewer_sees_what_was_used_and_not_what_a_model_was_asked(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    [summary] = system.conversations.reader.conversations()
    reply_id = system.conversations.reader.thread(summary.conversation)[-1].reply_id
    with browser(system) as viewer, browser(system) as operator:
        viewer.sign_in(PASSWORDS["DASHBOARD_READONLY_PASSWORD"])
        operator.sign_in(PASSWORDS["DASHBOARD_PASSWORD"])
        pages = [viewer.get(f"/dashboard/usage?by={by}") for by in ("day", "number", "model", "contact", "x")]
        assert [page.status_code for page in pages] == [200] * 5
        assert not any(contact.removeprefix("whatsapp:") in page.text for page in pages)
        asked = f"/dashboard/replies/{reply_id}/model-call"
        assert asked not in viewer.get(f"/dashboard/conversations/{summary.message_id}").text
        assert viewer.get(asked).status_code == 403
        assert asked in operator.get(f"/dashboard/conversations/{summary.message_id}").text
        assert "echo" in operator.get(asked).text
        assert operator.get("/dashboard/replies/nothing/model-call").status_code == 404


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}], ids=str
)
def test_a_form_of_another_site_does_nothing(system: System, headers: dict[str, str]) -> None:
    system.api()
    system.enqueue("attic", "work")
    with browser(system) as somebody:
        somebody.get("/dashboard/queues/attic")
        assert somebody.post("/dashboard/queues/attic/pause", headers=headers).status_code == 403
        somebody.page = ""  # and so does one without a token
        assert somebody.post("/dashboard/queues/attic/pause").status_code == 403
    assert not any(stats.paused for stats in system.queue.stats())


def test_nothing_is_done_that_cannot_be_written_down(system: System) -> None:
    system.settings["DASHBOARD_AUDIT_PATH"] = str(system.directory / "nowhere" / "audit.db")
    (system.directory / "nowhere").write_text("a file, where a directory would have to be")
    system.api()
    system.enqueue("attic", "work")
    with browser(system) as somebody:
        somebody.get("/dashboard/queues/attic")
        assert somebody.post("/dashboard/queues/attic/pause").status_code == 503
    assert not any(stats.paused for stats in system.queue.stats())


# -- in nobody's way -------------------------------------------------------------------------------------


def test_an_open_page_does_not_hold_up_the_end(system: System) -> None:
    api = system.api()
    with browser(system) as somebody, somebody.http.stream("GET", "/dashboard/events?of=overview") as stream:
        lines = stream.iter_lines()
        assert "event: problems" in lines_until(lines, "event: door")

        assert api.terminate() == 0

        for _ in lines:  # it ends, and is not cut off
            pass


def test_an_open_page_does_not_hold_up_a_reload(tmp_path: Path, twilio: FakeTwilio) -> None:
    with Stage(tmp_path, twilio, AI_PROVIDER="echo", **SETTINGS) as stage:
        up = stage.up()
        before = up.pids("api")
        with browser(stage) as somebody:
            eventually(lambda: "worker-1" in somebody.get().text)  # the supervisor was asked
            with somebody.http.stream("GET", "/dashboard/events?of=overview") as stream:
                lines = stream.iter_lines()
                assert "worker-1" in lines_until(lines, "event: door")
                up.signal(signal.SIGHUP)
                for _ in lines:
                    pass
            eventually(lambda: up.is_ready() and up.pids("api") != before, within_s=PATIENCE_S, every_s=0.1)
            assert somebody.get().status_code == 200
        assert up.terminate() == 0


def test_the_engine_is_away(tmp_path: Path, twilio: FakeTwilio) -> None:
    with (
        RedisServer(tmp_path) as server,
        System(tmp_path, twilio, QUEUE_BACKEND="redis", REDIS_URL=server.url, AI_PROVIDER="echo") as system,
    ):
        system.api()
        system.enqueue("attic", "work")
        with browser(system) as somebody:
            assert somebody.get("/dashboard/queues/attic").status_code == 200
            server.kill()
            eventually(lambda: "engine is away" in somebody.get().text, within_s=PATIENCE_S)
            assert somebody.get("/dashboard/queues/attic").status_code == 503
            assert somebody.get("/dashboard/conversations").status_code == 503
            server.start()
            eventually(lambda: "engine is away" not in somebody.get().text, within_s=PATIENCE_S)


def test_the_history_fills_while_nobody_looks(make_system: MakeSystem) -> None:
    system = make_system(AI_PROVIDER="echo")
    system.api()
    with browser(system) as somebody:
        eventually(lambda: len(somebody.get("/dashboard/history").json()["at_s"]) >= 2, within_s=PATIENCE_S)


def lines_until(lines: Iterator[str], last: str) -> str:
    """What a stream says, up to a line and with what belongs to it."""
    said: list[str] = []
    for line in lines:
        said.append(line)
        if said[-1] == "" and last in said:
            break
    return "\n".join(said)


# -- what is kept of a person ----------------------------------------------------------------------------


def test_an_operator_erases_and_exports_a_person_and_a_viewer_does_not(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    [summary] = system.conversations.reader.conversations()
    page = f"/dashboard/conversations/{summary.message_id}"
    with browser(system) as viewer, browser(system) as operator:
        viewer.sign_in(PASSWORDS["DASHBOARD_READONLY_PASSWORD"])
        assert "Erase this person" not in viewer.get(page).text
        assert viewer.get(page + "/erase").status_code == 403
        for action in ("erase", "export"):
            assert viewer.post(f"{page}/{action}").status_code == 403
        assert len(system.conversations.reader.conversations()) == 1

        operator.sign_in(PASSWORDS["DASHBOARD_PASSWORD"])
        assert operator.get(page + "/erase").status_code == 200
        exported = operator.post(page + "/export")
        assert exported.headers["content-disposition"].startswith("attachment")
        assert exported.json()["conversations"][0]["contact"] == contact
        assert len(system.conversations.reader.conversations()) == 1, "looking erases nothing"
        assert "1 conversation" in operator.post(page + "/erase").text
        assert operator.post(page + "/erase").status_code == 404, "again"
        audit = operator.get("/dashboard/audit").text
    assert list(system.conversations.reader.conversations()) == []
    assert "erase person" in audit
    assert contact.removeprefix("whatsapp:+") not in audit


def test_a_number_that_was_searched_for_is_not_in_the_audit_log_of_a_person_who_was_erased(
    system: System,
) -> None:
    system.settings |= PASSWORDS
    system.api()
    contact = system.contact("")

    def mentions() -> int:
        files = sorted(system.directory.glob("audit.db*"))
        return sum(path.read_bytes().count(contact.encode()) for path in files if path.is_file())

    with browser(system) as operator:
        operator.sign_in(PASSWORDS["DASHBOARD_PASSWORD"])
        operator.get("/dashboard/audit")
        operator.post("/dashboard/dead-letters/begin", action="discard", every="1", text=contact)
        assert mentions()
        system.write("Oi", sender=contact)

        ended = system.run("forget", contact, "--yes")

        assert ended.returncode == 0, ended.stderr
        assert "audit: 1 masked entries" in ended.stdout
        assert mentions() == 0
        assert "discard dead letters" in operator.get("/dashboard/audit").text
