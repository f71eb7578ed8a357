"""Whose forms are taken."""

from __future__ import annotations

import pytest

from api.dashboard.access.csrf import BROWSER_COOKIE, Csrf, CsrfError
from api.dashboard.access.sessions import Sessions
from api.dashboard.access.sign_in import safe_target

from ..requests import a_request

CSRF = Csrf(Sessions(["a password"]), "https://recado.example.com/prefix")
BROWSER = CSRF.new_browser()
TOKEN = CSRF.token(BROWSER, "maria")

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


def check(*, token: str = TOKEN, who: str = "maria", browser: str = BROWSER, **request: object) -> None:
    cookies = {BROWSER_COOKIE: browser}
    CSRF.check(a_request(method="POST", cookies=cookies, **request), token=token, who=who)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        SAME_SITE,
        {"Origin": "http://localhost:8000"},
        {"Origin": "https://recado.example.com"},
        {"Origin": "https://elsewhere.example", **SAME_SITE},  # a proxy may change the host, and not this
    ],
)
def test_a_form_of_ours_is_taken(headers: dict[str, str]) -> None:
    check(headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of this machine, or another name of the domain
        {"Sec-Fetch-Site": "none"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9000"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://recado.example.com"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"},
        {"Origin": ""},
    ],
)
def test_a_form_of_another_site_is_not(headers: dict[str, str]) -> None:
    with pytest.raises(CsrfError, match="another site"):
        check(headers=headers)


def test_a_token_is_good_in_its_browser_and_for_its_visitor() -> None:
    other = CSRF.new_browser()
    for wrong in (
        {"token": ""},
        {"token": "é"},
        {"token": TOKEN[:-1]},
        {"browser": other},
        {"browser": ""},
        {"who": "joao"},
        {"token": CSRF.token(other, "maria")},
    ):
        with pytest.raises(CsrfError, match="too old"):
            check(headers=SAME_SITE, **wrong)


def test_browsers_are_told_apart() -> None:
    assert len({CSRF.new_browser() for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/dashboard/audit?from=50", "/dashboard/audit?from=50"),
        ("/dashboard/", "/dashboard/"),
        ("", "/dashboard/"),
        ("/elsewhere", "/dashboard/"),
        ("//evil.example/dashboard/", "/dashboard/"),
        ("https://evil.example/dashboard/", "/dashboard/"),
        ("/dashboard/\\evil", "/dashboard/"),
        ("/dashboard/\r\nX: y", "/dashboard/"),
        ("javascript:alert(1)", "/dashboard/"),
    ],
)
def test_signing_in_leads_to_a_page_of_ours(asked: str, target: str) -> None:
    assert safe_target(asked) == target
