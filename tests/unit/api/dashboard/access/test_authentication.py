"""Who gets in, as what, and who does not."""

from __future__ import annotations

from typing import Any

import pytest

from api.dashboard.access.authentication import (
    SESSION_COOKIE,
    AccessDenied,
    Authentication,
    SignInRequired,
)
from api.dashboard.access.sessions import SESSION_S, Sessions
from api.dashboard.access.user import User
from ops.foundation.settings import Settings

from ..requests import a_request, settings

PASSWORDS = {"dashboard_password": "of operators", "dashboard_readonly_password": "of viewers"}
PROXIED = {"dashboard_auth_header": "X-Forwarded-User", "dashboard_trusted_proxies": "10.0.0.0/8, 127.0.0.1"}


def access(**values: Any) -> tuple[Authentication, Sessions]:
    of: Settings = settings(**values)
    sessions = Sessions(of.dashboard_secrets)
    return Authentication(of, sessions), sessions


# -- no password ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_without_a_password_this_machine_gets_in(client: str) -> None:
    assert access()[0].user(a_request(client=client)) == User("local", "operator")


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
    assert access(api_host="box.lan")[0].user(a_request(host=host)).is_operator


# -- passwords -------------------------------------------------------------------------------------------


def test_with_a_password_even_this_machine_has_to_sign_in() -> None:
    with pytest.raises(SignInRequired):
        access(**PASSWORDS)[0].user(a_request())


def test_a_password_says_who_it_is() -> None:
    who = access(**PASSWORDS)[0]
    assert who.role_of("of operators") == "operator"
    assert who.role_of("of viewers") == "viewer"
    for wrong in ("", "of operator", "of operators ", "OF OPERATORS", "ó"):
        assert who.role_of(wrong) is None


def test_a_password_that_is_not_set_is_nobodys() -> None:
    assert access(dashboard_password="of operators")[0].role_of("") is None
    assert access()[0].role_of("") is None


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_who_signed_in_gets_in_from_anywhere(role: Any) -> None:
    who, sessions = access(**PASSWORDS)
    cookie = {SESSION_COOKIE: sessions.issue(role)}
    found = who.user(a_request(client="203.0.113.9", host="any.example", cookies=cookie))
    assert (found.name, found.role, found.signed_in) == (role, role, True)
    assert found.is_operator is (role == "operator")


@pytest.mark.parametrize("changed", ["dashboard_password", "dashboard_readonly_password"])
def test_a_changed_password_signs_everybody_out(changed: str) -> None:
    cookie = {SESSION_COOKIE: access(**PASSWORDS)[1].issue("operator")}
    with pytest.raises(SignInRequired):
        access(**{**PASSWORDS, changed: "another one"})[0].user(a_request(cookies=cookie))


def test_processes_with_the_same_passwords_read_each_others_cookies() -> None:
    cookie = {SESSION_COOKIE: access(**PASSWORDS)[1].issue("viewer")}
    assert access(**PASSWORDS)[0].user(a_request(cookies=cookie)).role == "viewer"


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


# -- a proxy that names the user -------------------------------------------------------------------------


def test_a_trusted_proxy_names_the_user() -> None:
    request = a_request(client="10.1.2.3", host="any", headers={"x-forwarded-user": " maria "})
    assert access(**PROXIED)[0].user(request) == User("maria", "operator")


def test_only_named_users_are_operators() -> None:
    who = access(**PROXIED, dashboard_operators="maria, joana")[0]
    for name, is_operator in (("maria", True), ("joana", True), ("Maria", False), ("jose", False)):
        request = a_request(client="10.1.2.3", headers={"X-Forwarded-User": name})
        assert who.user(request).is_operator is is_operator


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
    assert who.user(a_request(client="192.168.0.1", cookies=cookie)).role == "viewer"


def test_where_a_request_is_from_is_what_a_trusted_proxy_says() -> None:
    who = access(**PROXIED)[0]
    forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    assert who.address_of(a_request(client="10.0.0.1", headers=forwarded)) == "203.0.113.9"
    assert who.address_of(a_request(client="192.168.0.1", headers=forwarded)) == "192.168.0.1"
