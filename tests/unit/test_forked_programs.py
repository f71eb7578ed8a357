"""A program that begins as a fork of a server is one like any other."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support import fork_server
from tests.support.forked_program import ForkedProgram, run_forked
from tests.support.waiting import eventually

SAYS = """
import os, sys
from other import WORD
print(sys.argv[1:], os.environ, os.getcwd(), os.getpid() == os.getsid(0), sys.stdin.read(), WORD)
print([name for name in sys.modules if name.partition(".")[0] in {ours!r}])
print(sorted(os.listdir("/proc/self/fd"), key=int)[:-1], file=sys.stderr)
sys.exit(7)
"""


def ran(directory: Path, script: str, *arguments: str, env: Mapping[str, str]) -> CompletedProcess[str]:
    """Run a script to its end."""
    path = directory / "script.py"
    path.write_text(script)
    return run_forked([str(path), *arguments], env=env, cwd=directory, typed="typed", timeout_s=60)


def test_it_has_what_it_was_given_and_nothing_else(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.py").write_text("WORD = 'found'\n")
    env = {"PYTHONPATH": str(elsewhere), "ONE": "1"}

    ended = ran(tmp_path, SAYS.replace("{ours!r}", repr(fork_server.OURS)), "a", "b", env=env)

    assert ended.stdout == f"['a', 'b'] environ({env!r}) {tmp_path} True typed found\n[]\n"
    assert ended.stderr == "['0', '1', '2']\n"
    assert ended.returncode == 7


def test_an_exception_is_its_end_and_is_told(tmp_path: Path) -> None:
    ended = ran(tmp_path, "raise ValueError('no')", env={})

    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback ")
    assert ended.stderr.endswith("ValueError: no\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it_and_nothing_else(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "sleeps.py").write_text("import signal\nsignal.pause()\n")
    with Path(os.devnull).open("r+") as nothing:
        files = dict.fromkeys((0, 1, 2), nothing.fileno())
        one, other = (
            ForkedProgram([str(tmp_path / "sleeps.py")], env={}, cwd=tmp_path, files=files) for _ in range(2)
        )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            one.wait(0.01)
        os.kill(one.pid, number)
        assert one.wait(60) == -number
        assert other.poll() is None
    finally:
        other.kill()
    assert eventually(other.poll) == -signal.SIGKILL


def test_what_takes_too_long_is_gone(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    script = f"import os, signal\nopen({str(told)!r}, 'w').write(str(os.getpid()))\nsignal.pause()\n"
    (tmp_path / "sleeps.py").write_text(script)

    with pytest.raises(subprocess.TimeoutExpired):
        run_forked([str(tmp_path / "sleeps.py")], env={}, cwd=tmp_path, timeout_s=2)

    eventually(lambda: not Path(f"/proc/{told.read_text()}").exists())
