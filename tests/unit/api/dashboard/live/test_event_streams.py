"""What open pages are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse

from api.dashboard.live import event_streams
from api.dashboard.live.event_streams import EventStreams, StreamEnded, StreamEvent


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "POLL_EVERY_S", 0.005)


class Page:
    """What a page shows; it changes with each look, through what is given."""

    def __init__(self, *looks: Sequence[StreamEvent]) -> None:
        self._looks = list(looks)
        self.looked = 0

    def __call__(self) -> Sequence[StreamEvent]:
        self.looked += 1
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]


@pytest.fixture
def streams() -> Iterator[EventStreams]:
    with ThreadPoolExecutor(2) as threads:
        yield EventStreams(threads)


def told(answer: Response) -> AsyncIterator[Any]:
    assert isinstance(answer, StreamingResponse)
    return aiter(answer.body_iterator)


def test_only_what_is_new_is_told(streams: EventStreams) -> None:
    async def run() -> list[str]:
        page = Page([("a", "1"), ("b", "2")], [("a", "1"), ("b", "2")], [("a", "1"), ("b", "3")])
        lines = told(streams.respond(page))
        return [await anext(lines) for _ in range(3)]

    first, second, third = asyncio.run(run())
    assert first == "retry: 3000\n\n"
    assert second == "event: a\ndata: 1\n\nevent: b\ndata: 2\n\n"
    assert third == "event: b\ndata: 3\n\n"


def test_lines_and_nothing_at_all_are_told(streams: EventStreams) -> None:
    async def run() -> str:
        lines = told(streams.respond(Page([("a", "<p>\n</p>"), ("b", "")])))
        await anext(lines)
        return str(await anext(lines))

    assert asyncio.run(run()) == "event: a\ndata: <p>\ndata: </p>\n\nevent: b\ndata: \n\n"


def test_a_quiet_stream_shows_that_it_lives(streams: EventStreams) -> None:
    async def run() -> list[str]:
        lines = told(streams.respond(Page([("a", "1")])))
        return [await anext(lines) for _ in range(3)]

    assert asyncio.run(run())[-1] == ": nothing new\n\n"


def test_every_stream_ends_when_the_server_is_about_to(streams: EventStreams) -> None:
    async def run() -> None:
        open_ = [told(streams.respond(Page([("a", "1")]))) for _ in range(3)]
        for lines in open_:
            await anext(lines)

        streams.close()

        async with asyncio.timeout(30):
            for lines in open_:
                async for _ in lines:
                    pass
        assert streams.respond(Page([("a", "1")])).status_code == 503

    asyncio.run(run())


def test_only_so_many_are_open_at_a_time(streams: EventStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "MAX_STREAMS", 2)

    async def run() -> None:
        open_ = [told(streams.respond(Page([("a", "1")]))) for _ in range(2)]
        for lines in open_:
            await anext(lines)
        assert streams.respond(Page([("a", "1")])).status_code == 503

        await open_[0].aclose()  # type: ignore[attr-defined]
        assert streams.respond(Page([("a", "1")])).status_code == 200

    asyncio.run(run())


def test_what_has_ended_ends_its_stream_without_a_word(streams: EventStreams) -> None:
    async def run() -> list[str]:
        def look() -> Sequence[StreamEvent]:
            raise StreamEnded

        return [line async for line in told(streams.respond(look))]

    assert asyncio.run(run()) == ["retry: 3000\n\n"]


def test_a_look_that_fails_ends_its_stream_and_makes_room(streams: EventStreams) -> None:
    async def run() -> None:

        def fail() -> Sequence[StreamEvent]:
            raise PermissionError

        lines = told(streams.respond(fail))
        await anext(lines)
        with pytest.raises(PermissionError):
            await anext(lines)
        assert streams._open == 0

    asyncio.run(run())
