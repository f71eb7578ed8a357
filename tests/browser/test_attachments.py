"""What contacts attach, in a browser: pictures are seen, voice notes heard, and all else is saved."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.fakes.twilio import FakeTwilio, attached
from tests.support.system import System

from .chromium import DESKTOP, PHONE
from .visitor import visitor


def picture() -> bytes:
    """A PNG of 320 x 200 pixels, blue."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\x00" + b"\x30\x60\xc0" * 320) * 200
    head = struct.pack(">IIBBBBB", 320, 200, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def voice_note() -> bytes:
    """Two seconds of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as note:
        note.setnchannels(1)
        note.setsampwidth(2)
        note.setframerate(8_000)
        note.writeframes(bytes(32_000))
    return file.getvalue()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with FakeTwilio() as twilio, System(tmp_path, twilio, AI_PROVIDER="echo") as system:
        system.api()
        system.worker()
        yield system


@pytest.mark.parametrize("device", [pytest.param(PHONE, id="phone"), pytest.param(DESKTOP, id="desk")])
def test_a_conversation_with_attachments(system: System, browser: Browser, device: dict[str, Any]) -> None:
    parameters = system.parameters("Tem este?", sender=system.contact()) | attached(
        system.twilio.attach(picture(), "image/png"),
        system.twilio.attach(voice_note(), "audio/wav"),
        system.twilio.attach(b"<script>document.title = 'run'</script>", "text/html"),
    )
    assert system.webhook(parameters).status_code == 200
    system.settle()

    with visitor(browser, system.url, **device) as somebody:
        somebody.open(f"conversations/{parameters['AccountSid']}.{parameters['MessageSid']}")
        page = somebody.page
        width = page.evaluate(
            """async () => {
                const picture = document.querySelector(".attached img");
                picture.scrollIntoView();
                await picture.decode();
                return picture.naturalWidth;
            }"""
        )
        assert width == 320
        assert page.evaluate(
            """async () => {
                const note = document.querySelector("audio.attached");
                note.load();
                note.preload = "metadata";
                await new Promise((resolve, reject) => {
                    note.onloadedmetadata = resolve;
                    note.onerror = () => reject(note.error.message);
                });
                return note.duration;
            }"""
        ) == pytest.approx(2.0)
        somebody.examine()
        with page.expect_download() as saved:
            somebody.press("Save the document")
        assert saved.value.suggested_filename == "attachment-3.bin"
