"""Users of the dashboard with names and roles: how they are made, come in, and what each role does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from api.audit_log import AuditLog
from api.dashboard.access.permissions import GETS, POSTS
from api.dashboard.routes import Routes
from api.roles import ROLES, Role, includes
from tests.fakes.twilio import FakeTwilio
from tests.support.system import System
from tests.support.waiting import eventually

from .test_dashboard import PASSWORDS, Browser, browser

BY_PROXY = {
    "DASHBOARD_AUTH_HEADER": "X-Forwarded-User",
    "DASHBOARD_AUTH_ROLE_HEADER": "X-Forwarded-Role",
    "DASHBOARD_TRUSTED_PROXIES": "127.0.0.1/32",
}

#: Addresses of the dashboard that ask for no role.
NO_ROLE = {"/login", "/logout", "/language/{tag}", "/static", "/{anything:path}", "/events"}

#: Forms that stand on no page of the test: another of the same role has to be sent first, or a reply has to
#: be unknown.
FURTHER = {
    "/dead-letters/begin",
    "/dead-letters/continue",
    "/dead-letters/stop",
    "/queues/{queue}/resume",
    "/conversations/{message_id}/hand-back",
    "/replies/{reply_id}/sent",
}

#: What is there in development only.
IN_DEVELOPMENT = {"/try-it", "/try-it/write", "/try-it/kill"}

#: Where forms and links lead.
_TARGET = re.compile(r'(?:action|href)="([^"#?]+)')


@pytest.fixture
def system(tmp_path: Path, twilio: FakeTwilio) -> Iterator[System]:
    """An API that is about to be started, on a file."""
    with System(tmp_path, twilio, AI_PROVIDER="echo") as system:
        yield system


def with_role(system: System, role: str) -> AbstractContextManager[Browser]:
    """The browser of one whom the proxy says to have a role."""
    return browser(system, **{"X-Forwarded-User": f"a person ({role})", "X-Forwarded-Role": role})


def sign_in(somebody: Browser, name: str, password: str) -> int:
    somebody.get("/dashboard/login")
    return somebody.post("/dashboard/login", name=name, password=password).status_code


def routes() -> Iterator[tuple[str, str, Role]]:
    """Yield the method, the address and the role of all that a user can ask for."""
    for route in Routes(MagicMock(played=None), MagicMock(), MagicMock(), MagicMock()).app().routes:
        path = str(getattr(route, "path", ""))
        for method in sorted((getattr(route, "methods", None) or set()) - {"HEAD"}):
            if path not in NO_ROLE:
                yield method, path, POSTS[path] if method == "POST" else GETS.get(path, "reader")


# -- what each role does ---------------------------------------------------------------------------------


def test_each_role_does_what_the_table_says_and_no_more(system: System) -> None:
    system.settings |= BY_PROXY
    system.api()
    system.enqueue("attic", "work")
    walked = sorted(routes())
    assert {path for method, path, _ in walked if method == "POST"} == set(POSTS) - IN_DEVELOPMENT
    assert {path for method, path, _ in walked if method == "GET"} > set(GETS) - IN_DEVELOPMENT
    for role in ROLES:
        with with_role(system, role) as user:
            user.get("/dashboard/conversations")
            for method, path, needed in walked:
                address = "/dashboard" + re.sub(r"\{\w+\}", "x", path)
                answer = user.post(address, text="x") if method == "POST" else user.http.get(address)
                if includes(role, needed):
                    assert answer.status_code != 403, (role, method, path)
                else:
                    assert answer.status_code == 403, (role, method, path)
                    assert f"This takes at least the role {needed}, and yours is {role}." in answer.text


def test_a_button_is_shown_to_those_who_may_press_it(system: System) -> None:
    system.settings |= BY_PROXY
    api = system.api()
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    [message] = system.twilio.sent_to(contact)
    system.twilio.report(message, "undelivered", through=api.url, error_code=30008)
    [summary] = system.conversations.reader.conversations()
    eventually(lambda: [each.state for each in system.conversations.reader.attention(limit=9)] != [])
    [owed] = system.conversations.reader.attention(limit=9)
    system.enqueue("attic", "work")
    [delivery] = system.queue.dequeue("attic", limit=1, timeout_s=10)
    system.queue.nack(delivery, reason="failed", error="no")
    system.queue.sync()
    talk = f"/dashboard/conversations/{summary.message_id}"
    pages = [
        "/dashboard/attention",
        "/dashboard/conversations",
        talk,
        "/dashboard/dead-letters",
        f"/dashboard/messages/{delivery.message_id}",
        f"/dashboard/replies/{owed.entry_id}",
        "/dashboard/queues/attic",
        "/dashboard/audit",
        "/dashboard/write",
        f"{talk}/erase",
    ]
    with with_role(system, "agent") as agent:
        agent.get(talk)
        assert agent.post(f"{talk}/note", note="prefers the morning", key="one").status_code == 303

    def targets(role: str) -> set[str]:
        """What the forms and links of all pages lead to, of what is in the table."""
        with with_role(system, role) as user:
            found = {target for page in pages for target in _TARGET.findall(user.get(page).text)}
        forms = {path: re.compile("/dashboard" + re.sub(r"\{\w+\}", "[^/]+", path)) for path in POSTS}
        return {path for path, form in forms.items() if any(form.fullmatch(target) for target in found)}

    everything = targets("admin")
    assert everything == set(POSTS) - FURTHER - IN_DEVELOPMENT
    for role in ROLES:
        assert targets(role) == {path for path in everything if includes(role, POSTS[path])}, role


def test_what_a_person_wrote_and_did_has_their_name(system: System) -> None:
    system.run("users", "create", "--name", "João", "--role", "agent", typed="a password of his\n")
    system.api()
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    [summary] = system.conversations.reader.conversations()
    talk = f"/dashboard/conversations/{summary.message_id}"
    with browser(system) as agent:
        assert agent.get().status_code == 303, "also on this machine"
        assert sign_in(agent, "joão", "a password of his") == 303
        agent.get(talk)
        said = agent.post(f"{talk}/say", text="Sou eu mesmo.", key="one")
        assert said.status_code == 303
        system.settle()
        page = agent.get(talk).text
        assert '<span class="by">João</span>' in page
        assert '<span class="name">João</span><span class="role">agent</span>' in page
    with closing(AuditLog(system.directory / "audit.db")) as audit:
        done = [(entry.who, entry.action) for entry in audit.list(limit=9) if entry.origin == "dashboard"]
    assert done == [("João", "answer by hand"), ("João", "sign in")]


# -- coming in -------------------------------------------------------------------------------------------


def test_a_user_signs_in_by_name_until_deleted(system: System) -> None:
    system.api()
    with browser(system) as maria:
        assert maria.get().status_code == 200, "nobody has to sign in yet"
        made = system.run("users", "create", "--name", "maria", "--role", "reader", "--generate")
        password = made.stdout.strip()
        assert maria.get().status_code == 303
        assert 'name="name"' in maria.get("/dashboard/login").text
        assert "required" in maria.page.partition('name="name"')[2].partition(">")[0]

        wrong, nobodys = (
            maria.post("/dashboard/login", name=name, password="wrong") for name in ("maria", "nobody")
        )
        assert (wrong.status_code, nobodys.status_code) == (401, 401)
        assert maria.post("/dashboard/login", password=password).status_code == 401
        assert sign_in(maria, "Maria", password) == 303
        maria.get("/dashboard/audit")
        assert maria.post("/dashboard/queues/attic/pause").status_code == 403
        assert system.run("users", "role", "maria", "operator").returncode == 0
        assert maria.post("/dashboard/queues/attic/pause").status_code == 404, "there is no such queue"

        assert system.run("users", "password", "maria", typed="a newer password\n").returncode == 0
        assert maria.get().status_code == 303
        assert sign_in(maria, "maria", "a newer password") == 303
        assert maria.get().status_code == 200
        ended = system.run("users", "delete", "maria", "--yes")
        assert "the last user" in ended.stderr
        assert 'class="name">local<' in maria.get().text
    for secret in (password, "a newer password"):
        assert secret not in system.logs()


def test_users_and_the_passwords_of_the_settings_stand_beside_each_other(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    with browser(system) as before, browser(system) as maria:
        before.sign_in(PASSWORDS["DASHBOARD_PASSWORD"])
        system.run("users", "create", "--name", "maria", "--role", "agent", typed="a password of hers")
        assert before.get().status_code == 200, "who is signed in stays"
        assert sign_in(maria, "maria", "a password of hers") == 303
        assert maria.get().status_code == 200
        assert before.sign_in(PASSWORDS["DASHBOARD_READONLY_PASSWORD"]).status_code == 303
        assert (
            "required"
            not in before.get("/dashboard/login").text.partition('name="name"')[2].partition(">")[0]
        )
        before.get("/dashboard/audit")
        assert before.post("/dashboard/dead-letters/begin", every="1").status_code == 403


def test_a_name_cannot_be_guessed_for_long(system: System) -> None:
    system.run("users", "create", "--name", "maria", "--role", "agent", typed="a password of hers")
    system.api()
    with browser(system) as stranger:
        assert [sign_in(stranger, "maria", "wrong") for _ in range(11)] == [401] * 10 + [429]
        assert sign_in(stranger, "maria", "a password of hers") == 429


def test_a_damaged_file_of_users_closes_the_dashboard(system: System) -> None:
    system.run("users", "create", "--name", "maria", "--role", "agent", typed="a password of hers")
    system.api()
    with browser(system) as maria:
        assert sign_in(maria, "maria", "a password of hers") == 303
        (system.directory / "dashboard-users.json").write_text("no JSON")
        closed = maria.get()
        assert closed.status_code == 503
        assert "dashboard-users.json" in closed.text
        assert sign_in(maria, "maria", "a password of hers") == 503
    with browser(system) as stranger:
        assert stranger.get().status_code == 303, "it does not open to this machine"


# -- the command line ------------------------------------------------------------------------------------


def test_the_command_line_keeps_users(system: System) -> None:
    made = system.run("users", "create", "--name", "Maria", "--role", "agent", typed="a password of hers\n")
    assert (made.returncode, made.stdout) == (0, "")
    path = system.directory / "dashboard-users.json"
    assert str(path) in made.stderr
    assert path.stat().st_mode & 0o777 == 0o600

    [listed] = json.loads(system.run("users", "list", "--json").stdout)
    assert (listed["name"], listed["role"]) == ("Maria", "agent")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed["created_at"])
    assert "Maria" in system.run("users", "list").stdout

    wrong = [
        system.run("users", "create", "--name", "maria", "--role", "reader", typed="long enough\n"),
        system.run("users", "create", "--name", "operator", "--role", "reader", typed="long enough\n"),
        system.run("users", "create", "--name", "x", "--role", "reader", typed="short\n"),
        system.run("users", "create", "--name", "x", "--role", "reader"),
        system.run("users", "password", "Maria", typed="short\n"),
        system.run("users", "password", "nobody", typed="long enough\n"),
        system.run("users", "role", "nobody", "admin"),
        system.run("users", "delete", "nobody", "--yes"),
        system.run("users", "delete", "Maria", typed="n\n"),
    ]
    assert [each.returncode for each in wrong] == [1] * len(wrong)
    assert "maria already" in wrong[0].stderr
    assert "8 characters" in wrong[2].stderr
    assert all("The users are Maria." in each.stderr for each in wrong[5:8])
    assert system.run("users", "create", "--name", "x", "--role", "king").returncode == 2
    assert [user["name"] for user in json.loads(system.run("users", "list", "--json").stdout)] == ["Maria"]

    assert system.run("users", "role", "maria", "admin").returncode == 0
    assert system.run("users", "delete", "maria", "--yes").returncode == 0
    assert json.loads(system.run("users", "list", "--json").stdout) == []
    with closing(AuditLog(system.directory / "audit.db")) as audit:
        done = [(entry.action, entry.target, entry.outcome) for entry in audit.list(limit=9)][::-1]
    assert done == [
        ("create user (agent)", "Maria", "done"),
        ("change role (admin)", "Maria", "done"),
        ("delete user", "Maria", "done"),
    ]


def test_looking_at_users_creates_nothing(system: System) -> None:
    assert json.loads(system.run("users", "list", "--json").stdout) == []
    assert not (system.directory / "dashboard-users.json").exists()
    assert not (system.directory / "audit.db").exists()
