"""Who gets in, as what, and who does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.dashboard.access.authentication import (
    SESSION_COOKIE,
    AccessDenied,
    Authentication,
    SessionsUnreadable,
    SignInRequired,
)
from api.dashboard.access.sessions import SESSION_S, Sessions
from api.dashboard.access.user import User
from api.roles import ROLES
from api.users import UserFile
from ops.foundation.settings import Settings

from ..requests import a_request, settings

PASSWORDS = {"dashboard_password": "of operators", "dashboard_readonly_password": "of viewers"}
PROXIED = {"dashboard_auth_header": "X-Forwarded-User", "dashboard_trusted_proxies": "10.0.0.0/8, 127.0.0.1"}


def access(**values: Any) -> tuple[Authentication, Sessions]:
    of: Settings = settings(**values)
    users = UserFile(of.dashboard_users_path)
    sessions = Sessions(of.dashboard_secrets, users=users)
    return Authentication(of, sessions, users), sessions


@pytest.fixture
def users(tmp_path: Path) -> UserFile:
    """A file with a user."""
    file = UserFile(tmp_path / "dashboard-users.json")
    file.create("Maria", "agent", "marias password")
    return file


@pytest.fixture
def named(tmp_path: Path) -> dict[str, Any]:
    """The setting that names the file of `users`."""
    return {"dashboard_users_path": tmp_path / "dashboard-users.json"}


# -- no password ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_without_a_password_this_machine_gets_in(client: str) -> None:
    assert access()[0].user(a_request(client=client)) == User("local", "admin")


@pytest.mark.parametrize(
    "client", ["10.0.0.1", "192.168.0.7", "2001:db8::1", "::ffff:10.0.0.1", "nowhere", None]
)
def test_without_a_password_others_do_not(client: str | None) -> None:
    with pytest.raises(AccessDenied, match="DASHBOARD_PASSWORD"):
        access()[0].user(a_request(client=client))


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host", "Via"])
def test_without_a_password_a_proxy_on_this_machine_lets_nobody_in(header: str) -> None:
    with pytest.raises(AccessDenied, match="DASHBOARD_PASSWORD"):
        access()[0].user(a_request(headers={header: "127.0.0.1"}))


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:8000", "[::2]"]
)
def test_without_a_password_a_name_that_was_made_to_lead_here_is_no_way_in(host: str) -> None:
    with pytest.raises(AccessDenied, match="localhost"):
        access()[0].user(a_request(host=host))


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "box.lan:8000"]
)
def test_without_a_password_the_api_is_known_by_its_own_names(host: str) -> None:
    assert access(api_host="box.lan")[0].user(a_request(host=host)).may("admin")


# -- passwords -------------------------------------------------------------------------------------------


def test_with_a_password_even_this_machine_has_to_sign_in() -> None:
    with pytest.raises(SignInRequired):
        access(**PASSWORDS)[0].user(a_request())


def test_a_password_says_who_it_is() -> None:
    who = access(**PASSWORDS)[0]
    assert who.account_of("", "of operators") == "operator"
    assert who.account_of("", "of viewers") == "viewer"
    for wrong in ("", "of operator", "of operators ", "OF OPERATORS", "ó"):
        assert who.account_of("", wrong) is None
    assert who.account_of("operator", "of operators") is None, "it is nobody's name"


def test_a_password_that_is_not_set_is_nobodys() -> None:
    assert access(dashboard_password="of operators")[0].account_of("", "") is None
    assert access()[0].account_of("", "") is None


@pytest.mark.parametrize(("name", "role"), [("operator", "admin"), ("viewer", "reader")])
def test_who_signed_in_gets_in_from_anywhere(name: str, role: str) -> None:
    who, sessions = access(**PASSWORDS)
    cookie = {SESSION_COOKIE: sessions.issue(name)}
    found = who.user(a_request(client="203.0.113.9", host="any.example", cookies=cookie))
    assert (found.name, found.role, found.signed_in) == (name, role, True)


def test_the_cookies_of_the_passwords_are_those_of_earlier_versions() -> None:
    who, sessions = access(**PASSWORDS)
    body = "operator.99999999999.abcdefghijkl"
    cookie = {SESSION_COOKIE: f"{body}.{sessions.sign('session', body)}"}
    assert who.user(a_request(cookies=cookie)) == User("operator", "admin", signed_in=True)
    assert sessions.issue("viewer").startswith("viewer.")


@pytest.mark.parametrize("changed", ["dashboard_password", "dashboard_readonly_password"])
def test_a_changed_password_signs_everybody_out(changed: str) -> None:
    cookie = {SESSION_COOKIE: access(**PASSWORDS)[1].issue("operator")}
    with pytest.raises(SignInRequired):
        access(**{**PASSWORDS, changed: "another one"})[0].user(a_request(cookies=cookie))


def test_processes_with_the_same_passwords_read_each_others_cookies() -> None:
    cookie = {SESSION_COOKIE: access(**PASSWORDS)[1].issue("viewer")}
    assert access(**PASSWORDS)[0].user(a_request(cookies=cookie)).role == "reader"


def test_a_cookie_cannot_be_made_into_anothers() -> None:
    who, sessions = access(**PASSWORDS)
    cookie = sessions.issue("viewer")
    forged = [
        cookie.replace("viewer", "operator"),
        cookie[:-1] + ("A" if cookie[-1] != "A" else "B"),
        cookie.rpartition(".")[0] + ".",
        "operator.99999999999.x." + sessions.sign("csrf", "operator.99999999999.x"),
        "",
        "...",
        "é",
    ]
    for each in forged:
        with pytest.raises(SignInRequired):
            who.user(a_request(cookies={SESSION_COOKIE: each}))


def test_a_session_ends() -> None:
    now = 1_000_000.0
    sessions = Sessions(["a", "b"], clock=lambda: now)
    cookie = sessions.issue("operator")
    now += SESSION_S - 1
    assert sessions.read(cookie) is not None
    now += 2
    assert sessions.read(cookie) is None


# -- users with a name -------------------------------------------------------------------------------------


def test_with_a_user_even_this_machine_has_to_sign_in(users: UserFile, named: dict[str, Any]) -> None:
    who = access(**named)[0]
    with pytest.raises(SignInRequired):
        who.user(a_request())
    users.delete("Maria")
    assert who.user(a_request()) == User("local", "admin")


def test_a_user_gets_in_by_name_with_the_role_of_now(users: UserFile, named: dict[str, Any]) -> None:
    who, sessions = access(**named)
    maria = who.account_of("maria", "marias password")
    assert maria is not None
    cookie = {SESSION_COOKIE: sessions.issue(maria)}
    assert who.user(a_request(cookies=cookie)) == User("Maria", "agent", signed_in=True)
    users.set_role("Maria", "reader")
    assert who.user(a_request(cookies=cookie)).role == "reader"
    assert access(**named)[0].user(a_request(cookies=cookie)).name == "Maria", "in another process"


@pytest.mark.parametrize("change", ["password", "delete", "made anew"])
def test_a_user_is_signed_out_by_another_password_and_when_deleted(
    users: UserFile, named: dict[str, Any], change: str
) -> None:
    who, sessions = access(**named)
    maria = who.account_of("maria", "marias password")
    assert maria is not None
    session, browser = sessions.issue(maria), sessions.vouch(maria)
    assert sessions.vouched(browser) is not None
    if change == "password":
        users.set_password("Maria", "another password")
    else:
        users.delete("Maria")
        users.create("Joana", "agent", "joanas password")
    if change == "made anew":
        users.create("Maria", "agent", "marias password")
    with pytest.raises(SignInRequired):
        who.user(a_request(cookies={SESSION_COOKIE: session}))
    assert sessions.vouched(browser) is None


def test_where_no_setting_is_a_secret_nobody_makes_a_cookie(named: dict[str, Any], users: UserFile) -> None:
    """The key is known then. A password that is not set opens nothing, and a name takes the digest."""
    who, sessions = access(**named)
    [maria] = users.users()
    ends = "TWFyaWE.99999999999.abcdefghijkl"
    forged = [
        sessions.issue("operator"),
        sessions.issue("viewer"),
        f"{ends}.{sessions.sign('session', ends)}",
        f"{ends}.{sessions.sign('session of a user', ends)}",
    ]
    for each in forged:
        with pytest.raises(SignInRequired):
            who.user(a_request(cookies={SESSION_COOKIE: each}))
    real = f"{ends}.{sessions.sign('session of a user', f'{ends}|{maria.password}')}"
    assert who.user(a_request(cookies={SESSION_COOKIE: real})).name == "Maria", "the test forges well"


def test_beside_users_the_passwords_work_too(users: UserFile, named: dict[str, Any]) -> None:
    who, sessions = access(**named, **PASSWORDS)
    assert [user.name for user in users.users()] == ["Maria"]
    assert who.account_of("", "of operators") == "operator"
    assert who.account_of("", "marias password") is None
    assert who.account_of("Maria", "of operators") is None
    cookie = {SESSION_COOKIE: sessions.issue("operator")}
    assert who.user(a_request(cookies=cookie)).role == "admin"


def test_a_file_of_users_that_cannot_be_read_lets_in_nobody_by_name_and_nobody_without(
    users: UserFile, named: dict[str, Any]
) -> None:
    who, sessions = access(**named, **PASSWORDS)
    [maria] = users.users()
    by_name, by_password = ({SESSION_COOKIE: sessions.issue(each)} for each in (maria, "operator"))
    named["dashboard_users_path"].write_text("no JSON")
    with pytest.raises(SessionsUnreadable, match=r"dashboard-users\.json"):
        who.user(a_request(cookies=by_name))
    assert who.user(a_request(cookies=by_password)).role == "admin", "it is needed to see what is wrong"
    with pytest.raises(SignInRequired):
        access(**named)[0].user(a_request())


# -- a proxy that names the user -------------------------------------------------------------------------


def test_a_trusted_proxy_names_the_user() -> None:
    request = a_request(client="10.1.2.3", host="any", headers={"x-forwarded-user": " maria "})
    assert access(**PROXIED)[0].user(request) == User("maria", "admin")


def test_only_named_users_are_admins() -> None:
    who = access(**PROXIED, dashboard_operators="maria, joana")[0]
    for name, role in (("maria", "admin"), ("joana", "admin"), ("Maria", "reader"), ("jose", "reader")):
        request = a_request(client="10.1.2.3", headers={"X-Forwarded-User": name})
        assert who.user(request).role == role


@pytest.mark.parametrize("role", ROLES)
def test_a_trusted_proxy_names_the_role(role: str) -> None:
    who = access(**PROXIED, dashboard_auth_role_header="X-Forwarded-Role")[0]
    named = {"X-Forwarded-User": "maria", "X-Forwarded-Role": role}
    assert who.user(a_request(client="10.1.2.3", headers=named)).role == role
    with pytest.raises(AccessDenied, match="DASHBOARD_TRUSTED_PROXIES"):
        who.user(a_request(client="192.168.0.1", headers=named))


@pytest.mark.parametrize("roles", [[], [""], ["king"], ["Admin"], ["reader", "admin"], ["reader, admin"]])
def test_a_header_that_names_no_role_lets_nobody_in(roles: list[str]) -> None:
    who = access(**PROXIED, dashboard_auth_role_header="X-Forwarded-Role")[0]
    headers = [("X-Forwarded-User", "maria"), *(("X-Forwarded-Role", role) for role in roles)]
    with pytest.raises(AccessDenied, match="reader, agent, operator, admin"):
        who.user(a_request(client="10.1.2.3", headers=headers))


@pytest.mark.parametrize("client", ["192.168.0.1", "11.0.0.1", None])
def test_the_header_is_worth_nothing_from_elsewhere(client: str | None) -> None:
    with pytest.raises(AccessDenied, match="DASHBOARD_TRUSTED_PROXIES"):
        access(**PROXIED)[0].user(a_request(client=client, headers={"X-Forwarded-User": "maria"}))


@pytest.mark.parametrize("names", [[], [""], ["a\tb"], ["maria", "root"], ["x" * 201]])
def test_a_header_that_names_nobody_lets_nobody_in(names: list[str]) -> None:
    headers = [("X-Forwarded-User", name) for name in names]
    with pytest.raises(AccessDenied):
        access(**PROXIED)[0].user(a_request(client="127.0.0.1", headers=headers))


def test_beside_a_proxy_a_password_works_too() -> None:
    who, sessions = access(**PROXIED, **PASSWORDS)
    with pytest.raises(SignInRequired):
        who.user(a_request(client="192.168.0.1", headers={"X-Forwarded-User": "maria"}))
    cookie = {SESSION_COOKIE: sessions.issue("viewer")}
    assert who.user(a_request(client="192.168.0.1", cookies=cookie)).role == "reader"


def test_where_a_request_is_from_is_what_a_trusted_proxy_says() -> None:
    who = access(**PROXIED)[0]
    forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    assert who.address_of(a_request(client="10.0.0.1", headers=forwarded)) == "203.0.113.9"
    assert who.address_of(a_request(client="192.168.0.1", headers=forwarded)) == "192.168.0.1"
