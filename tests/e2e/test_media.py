"""Pictures and voice notes, from the webhook to the answer, and in the dashboard."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.fakes.model import FakeModel
from tests.fakes.twilio import Attachment, FakeTwilio, attached
from tests.support.system import Program, System

from .conftest import MakeSystem
from .test_dashboard import PASSWORDS, browser

PICTURE = b"\xff\xd8\xff" + bytes(50_000)


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as model:
        yield model


@pytest.fixture
def settings(model: FakeModel) -> Mapping[str, str]:
    """Settings for a model that sees and listens."""
    return {
        "AI_PROVIDER": "openai",
        "AI_BASE_URL": model.url,
        "AI_API_KEY": "sk-1",
        "AI_MODEL": "a-model",
        "AI_VISION": "true",
        "AI_TRANSCRIBE_MODEL": "a-listener",
    }


def send(system: System, contact: str, *attachments: Attachment, text: str = "") -> str:
    """A contact sends attachments; returns the id of the message."""
    parameters = system.parameters(text, sender=contact) | attached(*attachments)
    assert system.webhook(parameters).status_code == 200
    return f"{parameters['AccountSid']}.{parameters['MessageSid']}"


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def texts(system: System, contact: str) -> list[str]:
    """What is in the conversation with a contact."""
    [summary] = system.conversations.reader.conversations(contact=contact)
    return [entry.text for entry in system.conversations.reader.thread(summary.conversation)]


def test_a_voice_note_is_written_down_and_answered(
    make_system: MakeSystem, settings: Mapping[str, str], model: FakeModel, tmp_path: Path
) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    system = make_system(**settings, TMPDIR=str(temporary))
    system.api()
    system.worker()
    contact = system.contact()
    note = system.twilio.attach(b"OggS voice", "audio/ogg", missing=1)
    model.hears, model.says = "quero dois pães", "Dois pães, certo."

    send(system, contact, note)
    system.settle()

    assert system.twilio.bodies_to(contact) == ["Dois pães, certo."]
    [heard] = model.heard
    assert (heard.model, heard.name, heard.content) == ("a-listener", "voice.ogg", b"OggS voice")
    assert model.asked[-1]["messages"][-1]["content"] == '[voice note: "quero dois pães"]'
    assert texts(system, contact)[0] == '[voice note: "quero dois pães"]'
    fetched = [request for request in system.twilio.requests if request.path == note.path]
    assert [request.authorised for request in fetched] == [True, True], "it was not there at first"
    assert ["authorization" in headers for headers in note.asked] == [False]
    assert files(temporary) == []


def test_a_picture_is_seen_by_the_model(
    make_system: MakeSystem, settings: Mapping[str, str], model: FakeModel
) -> None:
    system = make_system(**settings)
    system.api()
    system.worker()
    contact = system.contact()

    send(system, contact, system.twilio.attach(PICTURE, "image/jpeg"), text="Tem este?")
    system.settle()

    text, picture = model.asked[-1]["messages"][-1]["content"]
    assert text["text"] == "Tem este?\n[picture: image/jpeg]"
    assert picture["image_url"]["url"] == "data:image/jpeg;base64," + base64.b64encode(PICTURE).decode()
    assert system.twilio.bodies_to(contact) == [model.says]


def test_a_picture_that_cannot_be_fetched_is_answered(
    make_system: MakeSystem, settings: Mapping[str, str], model: FakeModel
) -> None:
    system = make_system(**settings, MEDIA_TIMEOUT_S="2")
    system.api()
    worker = system.worker()
    contact = system.contact()
    lost = system.twilio.attach(PICTURE, "image/jpeg", missing=100)
    elsewhere = system.twilio.attach(PICTURE, "image/png", leads_to="http://169.254.169.254/latest/")

    send(system, contact, lost, elsewhere, text="Tem este?")
    system.settle()

    assert system.twilio.bodies_to(contact) == [model.says]
    assert model.asked[-1]["messages"][-1]["content"] == (
        "Tem este?\n[picture, could not be fetched: Twilio answered 404]\n"
        "[picture, could not be fetched: Twilio leads to a place that is not known to be its own]"
    )
    assert system.dead_letters() == []
    assert worker.event("attachment not fetched")["kind"] == "picture"


def test_what_is_kept_is_fetched_once(
    make_system: MakeSystem, settings: Mapping[str, str], model: FakeModel, tmp_path: Path
) -> None:
    kept = tmp_path / "media"
    system = make_system(**settings, MEDIA_PATH=str(kept), MESSAGE_MAX_RETRIES="3")
    system.api()
    system.worker()
    contact = system.contact()
    picture = system.twilio.attach(PICTURE, "image/jpeg")
    document = system.twilio.attach(b"%PDF", "application/pdf")
    note = system.twilio.attach(b"OggS", "audio/ogg")
    model.refuse("chat", 503)

    send(system, contact, picture, document, note)
    system.settle()

    assert system.twilio.bodies_to(contact) == [model.says]
    assert len(model.asked) == 2
    assert len(model.heard) == 1, "a retry does not write it down again"
    assert [len(each.asked) for each in (picture, document, note)] == [1, 1, 1]
    found = files(kept)
    assert sorted(path.read_bytes() for path in found) == sorted([PICTURE, b"%PDF", b"OggS"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert not any(contact.removeprefix("whatsapp:+") in path.name for path in found)


def memory_kb(program: Program, what: str) -> int:
    """A figure of the kernel's about a process, in kB: VmRSS is what it has, VmHWM the most that it had."""
    for line in Path(f"/proc/{program.pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1])
    raise AssertionError(what)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel tells no figures here")
def test_large_pictures_at_once_take_little_memory(
    make_system: MakeSystem, settings: Mapping[str, str], model: FakeModel
) -> None:
    system = make_system(**settings)
    system.api()
    worker = system.worker("--threads", "16")
    send(system, system.contact(), system.twilio.attach(PICTURE, "image/jpeg"))
    system.settle()
    before_kb = memory_kb(worker, "VmRSS")
    content = bytes(16 * 1024 * 1024)
    pictures = [system.twilio.attach(content, "image/jpeg") for _ in range(16)]

    for picture in pictures:
        send(system, system.contact(), picture)
    system.settle()

    assert [len(picture.asked) for picture in pictures] == [1] * 16
    assert memory_kb(worker, "VmHWM") - before_kb < 40_000
    for asked in model.asked[1:]:
        assert "[the picture is not shown: it is too large]" in str(asked["messages"][-1])


# -- the dashboard ---------------------------------------------------------------------------------------


@pytest.fixture
def system(tmp_path: Path, twilio: FakeTwilio) -> Iterator[System]:
    """A Recado on a file, whose dashboard has passwords, and which fetches nothing of its own accord."""
    with System(tmp_path, twilio, AI_PROVIDER="echo", **PASSWORDS) as system:
        system.api()
        system.worker()
        yield system


#: What is attached, whether browsers show it where it stands, and as what it comes.
KINDS = [
    ("image/jpeg", "<img ", "image/jpeg"),
    ("image/webp", "<img ", "image/webp"),
    ("audio/ogg", "<audio ", "audio/ogg"),
    ("video/mp4", "<video ", "video/mp4"),
    ("application/pdf", " download>", None),
    ("image/svg+xml", " download>", None),
    ("text/html", " download>", None),
    ("text/vcard", " download>", None),
]


@pytest.mark.parametrize(("content_type", "shown", "comes_as"), KINDS)
def test_operators_see_what_contacts_sent(
    system: System, content_type: str, shown: str, comes_as: str | None
) -> None:
    attachment = system.twilio.attach(b"<svg>content</svg>", content_type)
    message = send(system, system.contact(), attachment)
    system.settle()

    with browser(system) as operator:
        operator.sign_in(PASSWORDS["DASHBOARD_PASSWORD"])
        page = operator.get(f"/dashboard/conversations/{message}").text
        got = operator.http.get(f"/dashboard/media/{message}/0")
        part = operator.http.get(f"/dashboard/media/{message}/0", headers={"Range": "bytes=5-11"})

    assert f"/dashboard/media/{message}/0" in page
    assert shown in page
    assert (got.status_code, got.content) == (200, b"<svg>content</svg>")
    assert (part.status_code, part.content) == (206, b"content")
    assert len(attachment.asked) == 1, "players ask again and again"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
    if comes_as is None:
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-disposition"].startswith("attachment; ")
    else:
        assert got.headers["content-type"] == comes_as
        assert "content-disposition" not in got.headers


def test_nobody_else_sees_them(system: System) -> None:
    attachment = system.twilio.attach(PICTURE, "image/jpeg")
    message = send(system, system.contact(), attachment)
    system.settle()
    path = f"/dashboard/media/{message}/0"

    with browser(system) as stranger, browser(system) as viewer:
        assert stranger.http.get(path).status_code == 303
        viewer.sign_in(PASSWORDS["DASHBOARD_READONLY_PASSWORD"])
        assert viewer.http.get(path).status_code == 403
        assert "/dashboard/media/" not in viewer.get(f"/dashboard/conversations/{message}").text

    assert attachment.asked == []


def test_what_is_not_there_is_not_found(system: System) -> None:
    message = send(system, system.contact(), system.twilio.attach(PICTURE, "image/jpeg", missing=100))
    system.settle()

    with browser(system) as operator:
        operator.sign_in(PASSWORDS["DASHBOARD_PASSWORD"])
        for path in (f"{message}/0", f"{message}/1", f"{message}/x", f"{message}/{'9' * 5_000}", "AC1.SM1/0"):
            assert operator.http.get(f"/dashboard/media/{path}").status_code == 404, path
        assert "Twilio answered 404" in operator.http.get(f"/dashboard/media/{message}/0").text


def test_the_page_may_load_pictures_and_sounds_of_its_own(system: System) -> None:
    with browser(system) as somebody:
        policy = somebody.get("/dashboard/login").headers["content-security-policy"]
    assert "img-src 'self';" in policy
    assert "media-src 'self';" in policy
