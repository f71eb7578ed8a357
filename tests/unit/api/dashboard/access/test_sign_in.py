"""What a right password changes for the browser it came from."""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from api.dashboard.access.authentication import Authentication
from api.dashboard.access.sessions import Sessions
from api.dashboard.access.sign_in import VOUCHED_COOKIE, SignInPage
from api.dashboard.access.throttle import TRIES
from api.users import UserFile

from ..requests import a_request, settings

PASSWORDS: dict[str, Any] = {
    "dashboard_password": "of operators",
    "dashboard_readonly_password": "of viewers",
}


def page(**values: Any) -> tuple[SignInPage, Sessions]:
    """The page of sign-in, and what makes its cookies."""
    of = settings(**values)
    users = UserFile(of.dashboard_users_path)
    sessions = Sessions(of.dashboard_secrets, users=users)
    authentication = Authentication(of, sessions, users)
    csrf = MagicMock(token=lambda *_: "a token")
    return SignInPage(authentication, sessions, csrf, MagicMock(), https_only=False), sessions


@pytest.mark.parametrize(
    ("known_as", "signs_in_as", "is_then"),
    [
        (None, "viewer", "viewer"),
        ("viewer", "operator", "operator"),
        ("operator", "viewer", None),
        ("operator", "operator", None),
        ("viewer", "viewer", None),
    ],
)
def test_a_viewers_browser_becomes_an_operators_with_the_operators_password(
    known_as: str | None, signs_in_as: str, is_then: str | None
) -> None:
    """Otherwise the wrong passwords of viewers would keep that operator waiting."""
    sign_in_page, sessions = page(**PASSWORDS)
    cookies = {} if known_as is None else {VOUCHED_COOKIE: sessions.vouch(known_as)}

    answer = sign_in_page.sign_in(
        a_request(cookies=cookies, method="POST"), {"password": f"of {signs_in_as}s"}, "a browser"
    )

    set_cookies = [SimpleCookie(value) for value in answer.headers.getlist("set-cookie")]
    vouched = [cookie[VOUCHED_COOKIE].value for cookie in set_cookies if VOUCHED_COOKIE in cookie]
    browsers = [sessions.vouched(value) for value in vouched]
    assert [browser and browser.account for browser in browsers] == ([] if is_then is None else [is_then])


@pytest.fixture
def users(tmp_path: Path) -> UserFile:
    """Two users who answer."""
    file = UserFile(tmp_path / "users.json")
    for name in ("maria", "joana"):
        file.create(name, "agent", f"password of {name}")
    return file


def tried(sign_in_page: SignInPage, name: str, password: str, *, browser: str = "") -> Any:
    """Send the form."""
    cookies = {VOUCHED_COOKIE: browser} if browser else {}
    form = {"name": name, "password": password}
    return sign_in_page.sign_in(a_request(cookies=cookies, method="POST"), form, "a browser")


def test_a_wrong_password_and_a_name_that_is_nobodys_get_the_same_answer(
    users: UserFile, tmp_path: Path
) -> None:
    sign_in_page, _ = page(dashboard_users_path=tmp_path / "users.json")
    wrong, nobodys = tried(sign_in_page, "maria", "wrong"), tried(sign_in_page, "karla", "wrong")
    assert (wrong.status_code, nobodys.status_code) == (401, 401)
    assert wrong.body == nobodys.body.replace(b"karla", b"maria")
    assert len(users.users()) == 2
    assert tried(sign_in_page, "Maria", "password of maria").status_code == 303


def test_strangers_keep_no_user_out_of_a_browser_that_is_theirs(users: UserFile, tmp_path: Path) -> None:
    sign_in_page, sessions = page(dashboard_users_path=tmp_path / "users.json")
    marias = sessions.vouch(users.users()[0])
    for _ in range(TRIES):
        assert tried(sign_in_page, "maria", "wrong").status_code == 401

    assert tried(sign_in_page, "maria", "password of maria").status_code == 429
    assert tried(sign_in_page, "maria", "password of maria", browser=marias).status_code == 303


def test_a_user_cannot_guess_the_password_of_another_in_a_browser_of_their_own(
    users: UserFile, tmp_path: Path
) -> None:
    """They could have it known again and again: their own password is right in it."""
    sign_in_page, sessions = page(dashboard_users_path=tmp_path / "users.json", **PASSWORDS)
    joana = users.users()[1]
    for place in range(TRIES):
        name = "maria" if place % 2 else ""
        assert tried(sign_in_page, name, "wrong", browser=sessions.vouch(joana)).status_code == 401

    assert tried(sign_in_page, "maria", "password of maria", browser=sessions.vouch(joana)).status_code == 429
    assert tried(sign_in_page, "", "of operators", browser=sessions.vouch(joana)).status_code == 429


def test_a_file_of_users_that_cannot_be_read_is_said_to_nobody_in_detail(
    users: UserFile, tmp_path: Path
) -> None:
    assert users.users()
    (tmp_path / "users.json").write_text("no JSON")
    sign_in_page, _ = page(dashboard_users_path=tmp_path / "users.json", **PASSWORDS)

    answer = tried(sign_in_page, "maria", "password of maria")

    assert answer.status_code == 503
    assert str(tmp_path).encode() not in answer.body
    assert tried(sign_in_page, "", "of operators").status_code == 303
