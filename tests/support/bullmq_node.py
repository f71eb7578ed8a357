"""Node with BullMQ in it, where this machine has Node and npm, and packages can be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

#: What the example runs with is what tests run with.
EXAMPLE = ROOT / "examples/bullmq-node"
SCRIPTS = Path(__file__).with_name("node")

#: A deadline for what would otherwise hang, not a measure.
PATIENCE_S = 120.0


class NoNode(Exception):
    """This machine has no Node, or BullMQ cannot be had; the text says why."""


class Node:
    """Programs of Node's, in a folder of their own in which BullMQ is installed.

    Parameters:
      directory: an empty folder.

    Raises:
      NoNode: there is none.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("node", "npm"):
            if shutil.which(name) is None:
                raise NoNode(f"{name} is not installed")
        for source in (EXAMPLE, SCRIPTS):
            for file in (*source.glob("*.mjs"), *source.glob("*.json")):
                target = directory / (f"test-{file.name}" if source is SCRIPTS else file.name)
                shutil.copy(file, target)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        installed = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        if installed.returncode != 0:
            raise NoNode(f"npm cannot install what package.json names: {installed.stderr.splitlines()[-1:]}")

    def ask(self, url: str, *command: str) -> Any:
        """Have BullMQ do something, see node/tool.mjs; return its answer."""
        return json.loads(self.run(url, "test-tool.mjs", *command))

    def run(self, url: str, program: str, *arguments: str, **env: str) -> str:
        """Run a program to its end; return what it said."""
        done = subprocess.run(
            ["node", program, *arguments],
            cwd=self.directory,
            env=self._environment(url, env),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def running(self, url: str, program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A program at work. It says that it is ready before this goes on, and is killed at the end."""
        process = subprocess.Popen(
            ["node", program, *arguments],
            cwd=self.directory,
            env=self._environment(url, {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert "ready" in said, said + process.stdout.read()
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]  # it was made with one

    @staticmethod
    def _environment(url: str, more: Mapping[str, str]) -> dict[str, str]:
        basics = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**basics, "REDIS_URL": url, **more}
