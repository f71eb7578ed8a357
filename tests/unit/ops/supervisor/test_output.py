"""One stream of whole lines, that never waits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from ops.supervisor.output.lines import MAX_LINE_BYTES, LineSplitter, labelled
from ops.supervisor.output.outlet import MAX_KEPT_BYTES, Outlet, OutletStream

PIPE_BYTES = 65536


def test_lines_come_whole_however_they_arrive() -> None:
    lines = LineSplitter()
    assert lines.feed(b"one\ntw") == [b"one"]
    assert lines.feed(b"o") == []
    assert lines.feed(b"\n\nthree\nfour") == [b"two", b"", b"three"]
    assert lines.end() == [b"four"]
    assert lines.end() == []


def test_a_line_that_does_not_end_is_cut_once() -> None:
    lines = LineSplitter()
    told = [line for _ in range(100) for line in lines.feed(b"x" * 10_000)]
    assert [len(line) for line in told] == [MAX_LINE_BYTES + len(b" [cut]")]
    assert lines.feed(b"the rest\nnext\n") == [b"next"]


def test_a_line_says_whose_it_is() -> None:
    assert labelled("api-1", b"hello", as_json=False) == b"api-1     | hello\n"
    told = labelled("api-1", b'{"event": "hello"}', as_json=True)
    assert json.loads(told) == {"child": "api-1", "event": "hello"}
    told = labelled("api-1", b"Fatal \xff", as_json=True)
    assert json.loads(told) == {"child": "api-1", "event": "Fatal �"}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def dropped(count: int) -> bytes:
    return f"dropped {count}\n".encode()


def test_what_can_be_written_is_written_at_once(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1], dropped)
    outlet.write(b"one\n")
    outlet.write(b"two\n")
    assert os.read(pipe[0], PIPE_BYTES) == b"one\ntwo\n"
    assert not outlet.is_waiting


def test_nobody_waits_for_a_reader_that_does_not_read(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1], dropped)
    line = b"x" * 9_999 + b"\n"
    written = (PIPE_BYTES + MAX_KEPT_BYTES) // len(line) + 50
    for _ in range(written):
        outlet.write(line)
    assert outlet.is_waiting
    assert outlet.lines_dropped > 0

    said = bytearray()
    while outlet.is_waiting:
        said += os.read(pipe[0], PIPE_BYTES)
        outlet.flush()
    said += os.read(pipe[0], PIPE_BYTES)

    *lines, last, rest = bytes(said).split(b"\n")
    assert rest == b""
    assert last == f"dropped {outlet.lines_dropped}".encode()
    assert set(lines) == {line[:-1]}
    assert len(lines) + outlet.lines_dropped == written


def test_a_reader_that_is_gone_is_no_error() -> None:
    read, write = os.pipe()
    outlet = Outlet(write, dropped)
    os.close(read)
    outlet.write(b"one\n")
    assert not outlet.is_waiting
    os.close(write)


def test_a_file_is_written_like_a_pipe(tmp_path: object) -> None:
    with open(f"{tmp_path}/log", "wb") as file:  # noqa: PTH123
        outlet = Outlet(file.fileno(), dropped)
        outlet.write(b"x" * 100_000 + b"\n")
        assert not outlet.is_waiting


def test_what_is_printed_goes_the_same_way(pipe: tuple[int, int]) -> None:
    writer = OutletStream(Outlet(pipe[1], dropped), is_terminal=True)
    print("olá", file=writer)
    assert os.read(pipe[0], PIPE_BYTES).decode() == "olá\n"
    assert writer.isatty()
