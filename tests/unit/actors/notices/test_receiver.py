"""Receivers are made of NOTIFY_URLS, and their URLs stay secret."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from actors.notices.receiver import Receiver, receivers_of
from ops.foundation.logging import configure_logging
from ops.foundation.settings import Settings, SettingsError
from tests.fakes.receiver import SECRET, FakeReceiver


@pytest.fixture(scope="module")
def server() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh(server: FakeReceiver) -> None:
    server.taken.clear()
    server.accept()


def settings(urls: str | None, **others: object) -> Settings:
    return Settings(_env_file=None, notify_urls=urls, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize("separator", [" ", ",", ", ", "\n"])
def test_urls_are_separated_by_commas_or_spaces(separator: str) -> None:
    urls = ["json://127.0.0.1:1/a", "mailto://u:p@example.com?to=b@example.com,c@example.com"]
    assert settings(separator.join(urls)).notify_url_list == urls


def test_a_notice_is_taken_or_not(server: FakeReceiver) -> None:
    [receiver] = receivers_of(settings(server.url)).values()

    assert receiver.tell("A title", "Two\nlines")
    server.refuse()
    assert not receiver.tell("Another", "…")
    assert [tuple(notice) for notice in server.taken] == [("A title", "Two\nlines")]


def test_a_receiver_that_does_not_answer_took_nothing() -> None:
    [receiver] = receivers_of(settings("json://127.0.0.1:1/x")).values()
    assert not receiver.tell("A title", "A text")


def test_a_plugin_that_raises_took_nothing_and_what_it_says_is_not_logged() -> None:
    class Raising:
        def notify(self, **_: str) -> bool:
            raise ValueError(SECRET)

    receiver = Receiver(1, f"slack://{SECRET}", Raising())  # type: ignore[arg-type]
    with capture_logs() as logs:
        assert not receiver.tell("A title", "A text")
    assert [line["error"] for line in logs] == ["ValueError"]
    assert SECRET not in str(logs)


def test_each_wrong_url_is_listed_and_none_is_shown() -> None:
    urls = f"json://127.0.0.1:1/a slack://{SECRET} nosuchservice://{SECRET}"
    with pytest.raises(SettingsError) as refused:
        receivers_of(settings(urls))

    said = str(refused.value)
    assert "slack://••• (number 2)" in said
    assert "nosuchservice://••• (number 3)" in said
    assert "number 1" not in said
    assert SECRET not in said


@pytest.mark.parametrize("wrong", [SECRET, f"json://host/{SECRET} and more", f"://{SECRET}"])
def test_what_is_no_url_is_refused_with_all_that_is_wrong(wrong: str) -> None:
    with pytest.raises(ValueError, match="number 1 is none") as refused:
        settings(wrong)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("notify_quiet_hours", "22-7"),
        ("notify_quiet_hours", "22:00-24:00"),
        ("notify_quiet_hours", "22:60-07:00"),
        ("notify_timezone", "America/Nowhere"),
        ("notify_timezone", "../../etc/passwd"),
        ("notify_max_per_hour", "0"),
    ],
)
def test_a_wrong_setting_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        settings(None, **{name: value})


def test_a_receiver_is_called_by_its_place_so_that_its_url_can_be_mended(server: FakeReceiver) -> None:
    [(name, receiver)] = receivers_of(settings(server.url)).items()
    mended = receivers_of(settings("json://127.0.0.1:1/another"))

    assert (name, receiver.label) == ("1", "json://••• (number 1)")
    assert list(mended) == ["1"]


def test_nothing_that_apprise_logs_is_written(
    server: FakeReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        configure_logging(settings(server.url, log_level="DEBUG", log_format="json"))
        logging.getLogger("apprise").setLevel(logging.DEBUG)  # as a library may do later
        [receiver] = receivers_of(settings(server.url)).values()
        receiver.tell("A title", "A text")
        server.refuse()
        receiver.tell("A title", "A text")
        with pytest.raises(SettingsError):
            receivers_of(settings(f"slack://{SECRET}"))
        logging.getLogger("others").warning("seen")
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    written = capsys.readouterr().err
    assert "seen" in written
    assert SECRET not in written


@pytest.mark.starts_processes
def test_without_urls_apprise_is_not_imported() -> None:
    code = (
        "import sys; import actors; from actors.notices.receiver import receivers_of; "
        "from ops.foundation.settings import Settings; "
        "assert receivers_of(Settings(_env_file=None)) == {}; assert 'apprise' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
