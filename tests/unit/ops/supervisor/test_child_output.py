"""A supervised process is never blocked by its output, and says how much of it was dropped."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from ops.supervisor.output.child_output import ChildOutput
from ops.supervisor.output.outlet import MAX_KEPT_BYTES
from tests.support.processes import ROOT
from tests.support.waiting import eventually

LINE = "x" * 99 + "\n"


class Pipe:
    """A pipe whose writing end does not block, and an output into it."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        os.set_blocking(self.write_end, False)
        self.output = ChildOutput(self.write_end)
        self.text: Any = io.TextIOWrapper(cast(Any, self.output), line_buffering=True, write_through=True)
        self._read = b""

    def read(self) -> str:
        """All that came through so far."""
        try:
            while data := os.read(self.read_end, 65536):
                self._read += data
        except BlockingIOError:
            pass
        return self._read.decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.read()
    pipe.output.drain(5.0)
    os.close(pipe.read_end)
    os.close(pipe.write_end)


def test_what_is_printed_comes_through(pipe: Pipe) -> None:
    print("olá", 1, file=pipe.text)
    pipe.text.buffer.write(b"bytes\n")
    assert pipe.read() == "olá 1\nbytes\n"


def test_a_line_without_an_end_comes_with_a_flush(pipe: Pipe) -> None:
    print("100 %", end="", file=pipe.text)
    assert pipe.read() == ""
    pipe.text.flush()
    assert pipe.read() == "100 %"


def test_what_the_pipe_does_not_take_is_kept_and_comes_by_itself_later(pipe: Pipe) -> None:
    for _ in range(5_000):  # several pipes full
        pipe.text.write(LINE)
    eventually(lambda: len(pipe.read()) == 5_000 * len(LINE))
    assert set(pipe.read().splitlines()) == {"x" * 99}


def test_what_is_beyond_is_dropped_in_whole_lines_and_counted(pipe: Pipe) -> None:
    count = 2 * MAX_KEPT_BYTES // len(LINE)
    for _ in range(count):
        pipe.text.write(LINE)

    def is_told() -> bool:
        return "lines of this process were dropped" in pipe.read()

    eventually(is_told)
    *lines, told = pipe.read().splitlines()
    assert set(lines) == {"x" * 99}
    assert int(told.split()[0]) == count - len(lines)


def test_threads_do_not_mix_their_lines(pipe: Pipe) -> None:
    def write(letter: str) -> None:
        for _ in range(500):
            pipe.output.write((letter * 199 + "\n").encode())

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(pipe.read()) == 4 * 500 * 200)
    assert {line[0] * 199 == line for line in pipe.read().splitlines()} == {True}


#: Prints several pipes full, by Python and by C, while nothing reads; then ends with a traceback.
FLOOD = """
import os, sys
from ops.supervisor.output.child_output import replace_standard_streams
replace_standard_streams()
for number in range(2_000):
    print("x" * 99)
    print("y" * 99, file=sys.__stderr__)
    try:
        os.write(2, b"z" * 99 + b"\\n")
    except BlockingIOError:
        pass
os.write(int(sys.argv[1]), b"done")
raise RuntimeError("the end")
"""


@pytest.mark.starts_processes
def test_a_process_that_is_not_read_goes_on_and_its_last_words_are_kept() -> None:
    read_end, done = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", FLOOD, str(done)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[done],
    ) as process:
        os.close(done)
        assert os.read(read_end, 4) == b"done", "it waits for no reader"
        assert process.stdout is not None
        told = process.stdout.read().decode()
    os.close(read_end)
    assert told.count("x" * 99) == told.count("y" * 99) == 2_000
    assert told.endswith("RuntimeError: the end\n")


#: Ends while a daemon thread holds the lock of the output, as one does that is just writing.
ENDS_WHILE_WRITING = """
import atexit, sys, threading
take, taken = threading.Event(), threading.Event()
atexit.register(lambda: (take.set(), taken.wait()))  # runs after the output has been drained
from ops.supervisor.output.child_output import replace_standard_streams
replace_standard_streams()
output = sys.stdout.buffer
def hold():
    take.wait()
    with output._lock:
        taken.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
print("the end")
"""


@pytest.mark.starts_processes
def test_a_process_ends_though_a_daemon_thread_is_just_writing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDS_WHILE_WRITING],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=True,
    )
    assert ended.stdout == b"the end\n"
