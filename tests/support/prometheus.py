"""A real Prometheus of one's own, which looks at a system several times a second."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from . import plain_http
from .ports import free_port
from .waiting import eventually

#: What Debian's package `prometheus` installs.
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool: apt-get install prometheus")
needs_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus: apt-get install prometheus")

RULES = Path(__file__).parents[2] / "ops" / "prometheus"

#: How often it looks at its targets, in milliseconds.
SCRAPE_MS = 500

#: How long it may take to start. Generous: a deadline for what would otherwise hang, not a measure.
START_WITHIN_S = 60.0


class Series(NamedTuple):
    """What a query found.

    Attributes:
      labels: of the series.
      samples: its values, each with its time in seconds since the epoch.
    """

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]

    @property
    def says_something(self) -> bool:
        return any(not math.isnan(value) for _, value in self.samples)


class Prometheus:
    """A server process on the loopback interface, with Recado's rules, gone when the `with` block ends.

    Parameters:
      directory: for its files.
      urls: where the pages of metrics are.
    """

    def __init__(self, directory: Path, urls: Sequence[str]) -> None:
        self._port = free_port()
        self._log = directory / "prometheus.log"
        targets = ", ".join(f'"{urlsplit(url).netloc}"' for url in urls)
        (directory / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {SCRAPE_MS}ms, scrape_timeout: {SCRAPE_MS}ms, "
            "evaluation_interval: 1s}\n"
            f"rule_files: [{RULES / 'recado.rules.yml'}]\n"
            f"scrape_configs: [{{job_name: recado, static_configs: [{{targets: [{targets}]}}]}}]\n"
        )
        self._command = [
            str(PROMETHEUS),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._http = plain_http.client(base_url=f"http://127.0.0.1:{self._port}", timeout=START_WITHIN_S)
        self.began_at = time.time()

    @property
    def url(self) -> str:
        return str(self._http.base_url)

    def get(self, path: str, **parameters: str | float) -> Any:
        """What its API answers; fails with its explanation when that is an error."""
        answer = self._http.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", f"{answer.get('error')}: {parameters}"
        return answer["data"]

    def ask(self, expr: str) -> Sequence[Series]:
        """What an expression says now."""
        found = self.get("query", query=expr)["result"]
        return [Series(each["metric"], [_sample(each["value"])]) for each in found]

    def ask_since_the_start(self, expr: str, *, step_s: float) -> Sequence[Series]:
        """What it has said every so often, as a panel shows it, and at least once from now on."""
        return self.ask_between(expr, self.began_at, time.time() + step_s, step_s=step_s)

    def ask_between(self, expr: str, start: float, end: float, *, step_s: float) -> Sequence[Series]:
        """What it said between two moments, in seconds since the epoch."""
        found = self.get("query_range", query=expr, start=start, end=end, step=step_s)["result"]
        return [Series(each["metric"], list(map(_sample, each["values"]))) for each in found]

    def look_again(self, times: int = 3) -> None:
        """Returns when it has looked at every target so many times from now on."""
        before = self._looks()

        def has_looked() -> bool:
            now = self._looks()
            return bool(now) and all(count >= before.get(target, 0) + times for target, count in now.items())

        eventually(has_looked, within_s=START_WITHIN_S, every_s=0.1)

    def _looks(self) -> Mapping[str, float]:
        """How often it has looked at each target, and found a page."""
        return {each.labels["instance"]: each.samples[0][1] for each in self.ask("sum_over_time(up[1h])")}

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def __enter__(self) -> Prometheus:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        eventually(self._is_ready, within_s=START_WITHIN_S)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._http.close()


def _sample(pair: Sequence[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
