"""Attachments come from Twilio and from no other place, and never more than a bound."""

from __future__ import annotations

import itertools
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.channels.twilio import media as media_module
from actors.channels.twilio.credentials import Credentials
from actors.channels.twilio.media import TwilioMedia
from actors.conversation import FetchedMedia, Media, MediaError
from tests.fakes.raw import RawServer, Sends
from tests.fakes.twilio import Account, Attachment, FakeTwilio

#: A picture, as far as anybody looks.
PICTURE = b"\xff\xd8\xff" + bytes(200_000)

MAX_BYTES = 300_000

#: Long enough for what answers.
PATIENCE_S = 30.0

#: Longer than any time that is given.
FOR_EVER_S = 1e6

Fetch = Callable[..., FetchedMedia]


@pytest.fixture
def make_fetch(twilio: FakeTwilio, account: Account, tmp_path: Path) -> Callable[..., Fetch]:
    """Makes what fetches an attachment into a file of the test's directory."""
    names = itertools.count()

    def make(**options: object) -> Fetch:
        credentials = Credentials(account.sid, account.sid, account.auth_token)
        defaults: dict[str, object] = {"api_base_url": twilio.url, "max_bytes": MAX_BYTES}
        source = TwilioMedia(credentials.of, **(defaults | options))  # type: ignore[arg-type]

        def fetch(
            attachment: Attachment,
            *,
            url: str | None = None,
            announced: str | None = None,
            timeout_s: float = PATIENCE_S,
            is_new: bool = True,
        ) -> FetchedMedia:
            media = Media(announced or attachment.content_type, attachment.url if url is None else url)
            into = tmp_path / str(next(names))
            return source.fetch(media, account=account.sid, into=into, timeout_s=timeout_s, is_new=is_new)

        return fetch

    return make


@pytest.fixture
def fetch(make_fetch: Callable[..., Fetch]) -> Fetch:
    return make_fetch()


@pytest.fixture
def _not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_module, "PAUSES_S", (FOR_EVER_S,))


def nothing_is_left(directory: Path) -> bool:
    return not list(directory.iterdir())


# -- what is fetched -------------------------------------------------------------------------------------


def test_it_comes_with_credentials_from_the_api_and_without_from_where_that_leads(
    fetch: Fetch, account: Account
) -> None:
    attachment = account.attach(PICTURE, "image/jpeg")

    fetched = fetch(attachment)

    assert fetched.read() == PICTURE
    assert (fetched.content_type, fetched.size) == ("image/jpeg", len(PICTURE))
    assert stat.S_IMODE(fetched.path.stat().st_mode) == 0o600
    [asked] = account.requests
    assert (asked.path, asked.authorised) == (attachment.path, True)
    [headers] = attachment.asked
    assert "authorization" not in headers
    assert account.auth_token not in str(headers)


def test_an_address_below_the_api_that_is_set_will_do(
    fetch: Fetch, account: Account, twilio: FakeTwilio
) -> None:
    attachment = account.attach(PICTURE, "image/jpeg")

    assert fetch(attachment, url=twilio.url + attachment.path).size == len(PICTURE)


def test_what_is_not_there_yet_is_asked_for_again(fetch: Fetch, account: Account) -> None:
    attachment = account.attach(PICTURE, "image/jpeg", missing=1)

    assert fetch(attachment).size == len(PICTURE)
    assert len(account.requests) == 2


def test_what_is_not_there_any_more_is_not(fetch: Fetch, account: Account, tmp_path: Path) -> None:
    attachment = account.attach(PICTURE, "image/jpeg", missing=1)

    with pytest.raises(MediaError, match="answered 404"):
        fetch(attachment, is_new=False)
    assert len(account.requests) == 1
    assert nothing_is_left(tmp_path)


def test_a_failure_that_passes_is_tried_again(
    fetch: Fetch, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_module, "PAUSES_S", (0.0, FOR_EVER_S))
    attachment = account.attach(PICTURE, "image/jpeg", status=503)

    with pytest.raises(MediaError, match="answered 503"):
        fetch(attachment)
    assert len(account.requests) == 2, "a second one, and no third: it would come too late"


def test_a_pause_that_is_too_long_is_not_waited_for(fetch: Fetch, account: Account) -> None:
    attachment = account.attach(PICTURE, "image/jpeg", status=429, retry_after="3600")

    with pytest.raises(MediaError, match="answered 429"):
        fetch(attachment)
    assert len(account.requests) == 1


def test_a_subaccount_has_its_own_credentials(twilio: FakeTwilio, account: Account, tmp_path: Path) -> None:
    subaccount = twilio.account()
    credentials = Credentials(
        account.sid, account.sid, account.auth_token, {subaccount.sid: subaccount.auth_token}
    )
    source = TwilioMedia(credentials.of, api_base_url=twilio.url)
    attachment = subaccount.attach(PICTURE, "image/jpeg")
    media = Media("image/jpeg", attachment.url)

    fetched = source.fetch(
        media, account=subaccount.sid, into=tmp_path / "file", timeout_s=PATIENCE_S, is_new=True
    )

    assert fetched.size == len(PICTURE)


# -- where from ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://evil.example{path}",
        "http://api.twilio.com{path}",
        "https://api.twilio.com:8443{path}",
        "https://api.twilio.com@evil.example{path}",
        "https://user:password@api.twilio.com{path}",
        "https://api.twilio.com.evil.example{path}",
        "https://api.twilio.com\\@evil.example{path}",
        "https://api.twilio.com#@evil.example{path}",
        "//evil.example{path}",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1{path}",
        "https://api.twilio.com{path}/../../../../Messages.json",
        "https://api.twilio.com{path}?x=1",
        "https://api.twilio.com{path}\n",
        "https://api.twilio.com{path}%2f..%2f..",
        "https://api.twilio.com/2010-04-01/Accounts/{sid}/Messages.json",
        "https://api.twilio.com/2010-04-01/Accounts/{sid}.json",
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages/MM1/Media/ME1",
    ],
)
def test_no_other_address_is_asked(fetch: Fetch, account: Account, tmp_path: Path, address: str) -> None:
    attachment = account.attach(PICTURE, "image/jpeg")

    with pytest.raises(MediaError, match="none of Twilio's for this account"):
        fetch(attachment, url=address.format(path=attachment.path, sid=account.sid))
    assert account.requests == []
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:1/content",
        "http://localhost/content",
        "http://[::1]/content",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://2130706433/",
        "//evil.example/content",
        "https://evil.example/content",
        "http://mms.twiliocdn.com/content",
        "https://mms.twiliocdn.com:8443/content",
        "https://mms.twiliocdn.com.evil.example/content",
        "https://mms.twiliocdn.com@evil.example/content",
        "https://user:password@mms.twiliocdn.com/content",
        "https://evil.example\\@mms.twiliocdn.com/content",
        "https://evil.example#@mms.twiliocdn.com/content",
        "https://s3-external-1.amazonaws.com/another-bucket/content",
        "https://s3-external-1.amazonaws.com/media.twiliocdn.com/../another-bucket/content",
        "https://s3-external-1.amazonaws.com/media.twiliocdn.com.evil/content",
        "file:///etc/passwd",
        "https://[",
        "https://mms.twiliocdn.com:port/",
    ],
)
def test_it_is_led_to_no_other_place(fetch: Fetch, account: Account, tmp_path: Path, place: str) -> None:
    attachment = account.attach(PICTURE, "image/jpeg", leads_to=place)

    with pytest.raises(MediaError, match="leads to"):
        fetch(attachment)
    assert len(account.requests) == 1, "and not again"
    assert nothing_is_left(tmp_path)


def test_it_is_not_led_on_for_ever(make_fetch: Callable[..., Fetch], account: Account) -> None:
    with RawServer(lambda c: c.sendall(b"HTTP/1.1 302 Found\r\nLocation: /on\r\n\r\n")) as server:
        attachment = account.attach(PICTURE, "image/jpeg", leads_to=server.url + "/first")

        with pytest.raises(MediaError, match="from place to place"):
            make_fetch(content=(server.url + "/",))(attachment)
        assert len(server.requests) == 3


# -- how much --------------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"


def endless_body(connection: socket.socket) -> None:
    connection.sendall(OK + b"\r\n")
    while True:
        connection.sendall(bytes(65_536))


def endless_chunks(connection: socket.socket) -> None:
    connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + bytes(65_536) + b"\r\n")


def large_length(connection: socket.socket) -> None:
    connection.sendall(OK + b"Content-Length: 999999999999\r\n\r\n")
    connection.recv(1)  # until the client hangs up


def length_that_promises_more(connection: socket.socket) -> None:
    connection.sendall(OK + b"Content-Length: 1000\r\n\r\n" + bytes(10))


def nothing(connection: socket.socket) -> None:
    connection.sendall(OK + b"Content-Length: 0\r\n\r\n")


def compressed(connection: socket.socket) -> None:
    connection.sendall(OK + b"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n" + bytes(10))


def page(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")


def refusal(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def silence(connection: socket.socket) -> None:
    connection.recv(1)  # until the client hangs up


def endless_headers(connection: socket.socket) -> None:
    connection.sendall(OK)
    connection.settimeout(0.05)
    while True:
        connection.sendall(b"X")
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            pass


def endless_drops(connection: socket.socket) -> None:
    connection.sendall(OK + b"\r\n")
    connection.settimeout(0.05)
    while True:
        connection.sendall(b"X")
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            pass


@pytest.mark.usefixtures("_not_tried_again")
@pytest.mark.parametrize(
    ("sends", "why"),
    [
        (endless_body, "larger than"),
        (endless_chunks, "larger than"),
        (large_length, "larger than"),
        (length_that_promises_more, "connection broke"),
        (nothing, "empty"),
        (compressed, "compressed"),
        (page, "text/html, and was announced as image/jpeg"),
        (refusal, "answered 403"),
        (silence, "longer than"),
        (endless_headers, "longer than"),
        (endless_drops, "longer than"),
    ],
)
def test_what_is_served_wrongly_is_refused(
    make_fetch: Callable[..., Fetch],
    account: Account,
    tmp_path: Path,
    sends: Sends,
    why: str,
) -> None:
    timeout_s = 0.4 if why == "longer than" else PATIENCE_S
    with RawServer(sends) as server:
        attachment = account.attach(PICTURE, "image/jpeg", leads_to=server.url + "/content")

        with pytest.raises(MediaError, match=why):
            make_fetch(content=(server.url + "/",))(attachment, timeout_s=timeout_s)
    assert nothing_is_left(tmp_path)


def test_what_is_as_large_as_the_bound_is_fetched(fetch: Fetch, account: Account) -> None:
    assert fetch(account.attach(bytes(MAX_BYTES), "image/jpeg")).size == MAX_BYTES
    with pytest.raises(MediaError, match="larger than"):
        fetch(account.attach(bytes(MAX_BYTES + 1), "image/jpeg"))


@pytest.mark.parametrize(
    ("announced", "comes", "counts"),
    [
        ("image/jpeg", "image/jpeg", "image/jpeg"),
        ("Audio/OGG; codecs=opus", "application/ogg", "audio/ogg"),
        ("image/jpeg", "binary/octet-stream", "image/jpeg"),
        ("application/octet-stream", "image/png", "image/png"),
        ("text/x-vcard", "text/vcard", "text/x-vcard"),
        ("image/jpeg", "text/html", None),
        ("text/vcard", "text/html", None),
        ("image/jpeg", "application/json", None),
    ],
)
def test_the_type_is_the_one_that_was_announced(
    fetch: Fetch, account: Account, announced: str, comes: str, counts: str | None
) -> None:
    attachment = account.attach(PICTURE, comes)

    if counts is None:
        with pytest.raises(MediaError, match="was announced as"):
            fetch(attachment, announced=announced)
    else:
        assert fetch(attachment, announced=announced).content_type == counts


def test_a_disk_that_takes_nothing_is_an_error_of_the_attachment(
    twilio: FakeTwilio, account: Account, tmp_path: Path
) -> None:
    credentials = Credentials(account.sid, account.sid, account.auth_token)
    attachment = account.attach(PICTURE, "image/jpeg")
    media = Media("image/jpeg", attachment.url)

    with pytest.raises(MediaError, match="cannot be written to the disk"):
        TwilioMedia(credentials.of, api_base_url=twilio.url).fetch(
            media, account=account.sid, into=tmp_path / "missing" / "file", timeout_s=1.0, is_new=True
        )
