"""What a right password changes for the browser it came from."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any
from unittest.mock import MagicMock

import pytest

from api.dashboard.access.authentication import Authentication
from api.dashboard.access.sessions import Sessions
from api.dashboard.access.sign_in import VOUCHED_COOKIE, SignInPage
from api.dashboard.access.user import Role

from ..requests import a_request, settings

PASSWORDS: dict[str, Any] = {
    "dashboard_password": "of operators",
    "dashboard_readonly_password": "of viewers",
}


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
    known_as: Role | None, signs_in_as: Role, is_then: Role | None
) -> None:
    """Otherwise the wrong passwords of viewers would keep that operator waiting."""
    of = settings(**PASSWORDS)
    sessions = Sessions(of.dashboard_secrets)
    sign_in_page = SignInPage(
        Authentication(of, sessions), sessions, MagicMock(), MagicMock(), https_only=False
    )
    cookies = {} if known_as is None else {VOUCHED_COOKIE: sessions.vouch(known_as)}

    answer = sign_in_page.sign_in(
        a_request(cookies=cookies, method="POST"), {"password": f"of {signs_in_as}s"}, "a browser"
    )

    set_cookies = [SimpleCookie(value) for value in answer.headers.getlist("set-cookie")]
    vouched = [cookie[VOUCHED_COOKIE].value for cookie in set_cookies if VOUCHED_COOKIE in cookie]
    browsers = [sessions.vouched(value) for value in vouched]
    assert [browser and browser.role for browser in browsers] == ([] if is_then is None else [is_then])
