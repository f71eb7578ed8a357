"""Requests that are none of a browser's or of Twilio's: answered without a 500, and without a traceback."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import product
from urllib.parse import quote, urlsplit

import pytest

from tests.fakes.twilio import FakeTwilio
from tests.support.messages import a_message
from tests.support.system import PATIENCE_S, Api, System
from tests.support.waiting import eventually

from .test_dashboard import SAME_SITE, Browser

PASSWORD = "a password of operators"

#: Values that break what reads them as an address, a number, a date, JSON, a name of a file, or UTF-8.
STRANGE = (
    *(
        "[",
        "//[",
        "http://[",
        "http://[::1",
        "//\N{CARE OF}.example.com/",
        "http://a:b:c",
        "http://a:99999999",
    ),
    *("9" * 5_000, "-1", "²", "1e400", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0000"),
    *(
        "[" * 5_000,
        "\0",
        "a\0b",
        "..",
        "../../etc/passwd",
        "\\",
        "%",
        "\ud800",
        "é",
        "a" * 20_000,
        "\r\n",
        " ",
    ),
)

#: One of each kind, to be tried in each place by itself.
STRANGEST = ("//[", "9" * 5_000, "\ud800", "a\0b", "0001-01-01T00:00:00+23:59")

PAGES = (
    *("", "history", "events", "dead-letters", "conversations", "audit", "login", "queues/messages"),
    *("messages/an-id", "conversations/an-id", "static/dashboard.css", "nothing"),
)

FIELDS = (
    *("next", "from", "found", "show", "since", "before", "state", "actor", "reason", "text", "queue", "id"),
    *("contact", "stop", "of", "entry", "died_since", "died_before"),
)

FORMS = ("dead-letters/confirm", "dead-letters/begin", "dead-letters/continue", "dead-letters/stop", "login")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio) -> Iterator[tuple[System, Api]]:
    directory = tmp_path_factory.mktemp("attacked")
    with System(directory, twilio, AI_PROVIDER="echo", DASHBOARD_PASSWORD=PASSWORD) as system:
        api = system.api()
        yield system, api


@pytest.fixture
def browser(attacked: tuple[System, Api]) -> Iterator[Browser]:
    """A browser of an operator's; no request of the test leaves a traceback."""
    system, api = attacked
    before = api.log.count("Traceback")
    browser = Browser(system.url)
    with browser.http:
        browser.sign_in(PASSWORD)
        browser.get("/dashboard/")
        yield browser
    assert api.log.count("Traceback") == before


def encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def spoken(system: System, request: bytes) -> int:
    """Send a request byte by byte as it is; the status of the answer, 0 for none."""
    address = urlsplit(system.url)
    with closing(socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)) as line:
        line.sendall(request)
        answer = line.makefile("rb").readline()
    return int(answer.split()[1]) if answer else 0


def raw(system: System, target: bytes, headers: Mapping[bytes, bytes], method: bytes = b"GET") -> int:
    lines = [b"%s %s HTTP/1.1" % (method, target), b"Connection: close"]
    lines += [b"%s: %s" % header for header in {b"Host": b"localhost", **headers}.items()]
    return spoken(system, b"\r\n".join(lines) + b"\r\n\r\n")


@pytest.mark.parametrize("page", PAGES)
def test_no_field_of_a_page_breaks_it(browser: Browser, page: str) -> None:
    statuses = {}
    # A stream does not end.
    names = [name for name in FIELDS if (page, name) != ("events", "of")]
    asked = [
        *(([name], value) for name, value in product(names, STRANGEST)),
        *((names, value[:300]) for value in STRANGE),
    ]
    for fields, value in asked:
        target = f"/dashboard/{page}?" + "&".join(f"{name}={encoded(value)}" for name in fields)
        statuses[target[:200]] = browser.http.get(target).status_code
    assert {target: status for target, status in statuses.items() if status >= 500} == {}


@pytest.mark.parametrize("form", FORMS)
def test_no_field_of_a_form_breaks_it(browser: Browser, form: str) -> None:
    statuses = {}
    for name, value in product((*FIELDS, "token", "every", "action", "password"), STRANGEST):
        token = re.search(r'name="token" value="([^"]+)"', browser.page)
        fields = {"token": token.group(1) if token else "", "id": "an-id", name: value}
        body = "&".join(f"{key}={encoded(text)}" for key, text in fields.items())
        headers = SAME_SITE | {"Content-Type": "application/x-www-form-urlencoded"}
        answer = browser.http.post(f"/dashboard/{form}", content=body, headers=headers)
        statuses[form, name, value[:40]] = answer.status_code
    assert {request: status for request, status in statuses.items() if status >= 500} == {}


@pytest.mark.parametrize("place", ["queues", "messages", "conversations", "dead-letters", "static"])
def test_no_address_of_a_page_breaks_it(browser: Browser, place: str) -> None:
    targets = [f"/dashboard/{place}/{encoded(value)}" for value in STRANGE]
    statuses = {target[:200]: browser.http.get(target).status_code for target in targets}
    assert {target: status for target, status in statuses.items() if status >= 500} == {}


HEADERS = (
    *("Host", "Origin", "Sec-Fetch-Site", "Cookie", "Content-Type", "Content-Length", "X-Forwarded-For"),
    *("X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Request-Id", "X-Twilio-Signature"),
    *("X-Twilio-Webhooks-Signature-Settings", "HX-Request", "Range", "If-Modified-Since", "If-None-Match"),
    *("Accept-Encoding", "Transfer-Encoding", "Expect", "traceparent", "tracestate", "Accept"),
)

ROUTES = (
    *("GET /healthz", "GET /readyz", "GET /metrics", "GET /dashboard", "GET /dashboard/", "GET /nothing"),
    *("GET /dashboard/login", "POST /dashboard/login", "POST /dashboard/logout", "GET /dashboard/events"),
    *("GET /dashboard/static/dashboard.css", "POST /dashboard/dead-letters/begin"),
    *("POST /webhooks/twilio/messages", "POST /webhooks/twilio/status?reply=a"),
)


@pytest.mark.parametrize("route", ROUTES)
def test_no_header_breaks_a_route(browser: Browser, attacked: tuple[System, Api], route: str) -> None:
    method, target = route.encode().split()
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    statuses = {}
    for name, value in product(HEADERS, (*STRANGEST, "http://[", "²", "\\")):
        sent = value.encode("utf-8", "surrogatepass").replace(b"\r\n", b"").replace(b"\0", b"")
        headers = {b"Content-Type": b"application/x-www-form-urlencoded", b"Origin": b"http://localhost"}
        headers |= {b"Cookie": cookies.encode(), name.encode(): sent}
        statuses[name, value[:40]] = raw(attacked[0], target, headers, method)
    assert {request: status for request, status in statuses.items() if status >= 500} == {}


@pytest.mark.parametrize("route", ROUTES)
def test_no_bytes_of_an_address_break_a_route(
    browser: Browser, attacked: tuple[System, Api], route: str
) -> None:
    method, target = route.encode().split()
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items()).encode()
    addresses = [
        *(
            target + end
            for end in (b"?a=\xff", b"\xff", b"?a=%ff&next=%ff", b"%ff", b"%", b"%00", b"#a", b"?reply=[")
        ),
        *(start + target for start in (b"http://[", b"//", b"//[", b"http://localhost", b"\xe2\x84\x80")),
    ]
    statuses = {address: raw(attacked[0], address, {b"Cookie": cookies}, method) for address in addresses}
    assert {address: status for address, status in statuses.items() if status >= 500} == {}


@pytest.mark.parametrize(
    "path",
    ["/webhooks/twilio/messages", "/webhooks/twilio/status?reply=a", "/dashboard/login", "/dashboard/audit"],
)
def test_a_client_that_leaves_in_the_middle_of_a_body_leaves_no_traceback(
    browser: Browser, attacked: tuple[System, Api], path: str
) -> None:
    system, _ = attacked
    before = system.metric("recado_webhooks_total", webhook="messages", outcome="disconnected")
    address = urlsplit(system.url)
    for _ in range(5):
        with closing(socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)) as line:
            line.sendall(
                b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n" % path.encode()
                + b"Content-Type: application/x-www-form-urlencoded\r\n\r\nhalf="
            )
            if path.endswith("/messages"):
                line.shutdown(socket.SHUT_WR)
                line.recv(1)  # the server has noticed
    if path.endswith("/messages"):
        eventually(
            lambda: (
                system.metric("recado_webhooks_total", webhook="messages", outcome="disconnected")
                == before + 5
            )
        )


@pytest.mark.parametrize("levels", [500, 700, 950, 5_000])
def test_a_message_that_is_deep_has_a_page(
    browser: Browser, attacked: tuple[System, Api], levels: int
) -> None:
    payload = b'{"args": [' + b"[" * levels + b"]" * levels + b'], "options": {}}'
    message = a_message(queue="messages", payload=payload)
    assert attacked[0].queue.enqueue(message)

    answer = browser.get(f"/dashboard/messages/{message.message_id}")
    assert answer.status_code == 200
    revealed = browser.post(f"/dashboard/messages/{message.message_id}/reveal")
    assert (revealed.status_code, "[" * levels in revealed.text) == (200, True)
