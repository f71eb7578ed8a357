"""The rules for Prometheus: each alert fires when it should and only then, and says where to read on."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from tests.fakes.endpoint import FakeEndpoint
from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import SETTINGS as SUPERVISED
from tests.supervisor.stage import Stage
from tests.support.metrics import documented
from tests.support.prometheus import PROMTOOL, RULES, needs_promtool
from tests.support.redis_server import RedisServer
from tests.support.system import ROOT
from tests.unit.docs.test_references import anchors

from . import story

RULES_FILE = RULES / "recado.rules.yml"
TESTS = sorted((RULES / "tests").glob("*.yml"))

ALERTS: list[Mapping[str, Any]] = [
    rule
    for group in yaml.safe_load(RULES_FILE.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]

each_alert = pytest.mark.parametrize("alert", [pytest.param(alert, id=alert["alert"]) for alert in ALERTS])


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """What promtool said; fails when it found anything wrong."""
    done = subprocess.run(
        [str(PROMTOOL), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
def test_rules_are_well_formed() -> None:
    promtool("check", "rules", RULES_FILE)


@needs_promtool
def test_the_configuration_is_well_formed_and_finds_the_rules() -> None:
    assert "1 rule files found" in promtool("check", "config", RULES / "prometheus.yml")


@needs_promtool
@pytest.mark.parametrize("file", [pytest.param(file, id=file.name) for file in TESTS])
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    promtool("test", "rules", file)


@each_alert
def test_an_alert_is_tested_both_ways(alert: Mapping[str, Any]) -> None:
    expected = [
        bool(test["exp_alerts"])
        for file in TESTS
        for case in yaml.safe_load(file.read_text())["tests"]
        for test in case.get("alert_rule_test", ())
        if test["alertname"] == alert["alert"]
    ]
    assert set(expected) == {True, False}


@each_alert
def test_an_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do(alert: Mapping[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    notes = alert["annotations"]
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    document, _, anchor = notes["runbook"].partition("#")
    assert anchor in anchors(ROOT / document)


@each_alert
def test_an_alert_is_in_the_table_of_symptoms(alert: Mapping[str, Any]) -> None:
    document, _, anchor = alert["annotations"]["runbook"].partition("#")
    rows = [line for line in (ROOT / document).read_text().splitlines() if f"`{alert['alert']}`" in line]
    assert any(row.startswith("|") and f"](#{anchor})" in row for row in rows)


def test_names_are_used_once() -> None:
    assert Counter(alert["alert"] for alert in ALERTS).most_common(1)[0][1] == 1


def test_rules_ask_for_metrics_and_labels_that_there_are() -> None:
    """Within braces and `by (...)`; what a rule records itself is not looked at."""
    table = documented()
    suffixes = ("_bucket", "_count", "_sum")
    for group in yaml.safe_load(RULES_FILE.read_text())["groups"]:
        for rule in group["rules"]:
            for name, matchers in re.findall(r"\b(recado_\w+)(?:\{([^}]*)\})?", rule["expr"]):
                plain = next((name.removesuffix(each) for each in suffixes if name.endswith(each)), name)
                kind = table.get(name) or table[plain]
                labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers))
                assert labels <= kind.labels | {"le"}, (name, labels)


@pytest.fixture(params=["sqlite", "redis"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """Settings for each engine in turn."""
    if request.param == "sqlite":
        yield {}
    else:
        with RedisServer(tmp_path_factory.mktemp("redis")) as server:
            yield {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url}


@needs_promtool
def test_the_page_of_a_system_at_work_is_as_prometheus_wants_it(
    tmp_path: Path, twilio: FakeTwilio, llmock_server: LLMockServer, engine: Mapping[str, str]
) -> None:
    model = LLMock(llmock_server)
    settings = {**SUPERVISED, **story.SETTINGS, **story.asking(model), **engine}
    with FakeEndpoint() as endpoint, Stage(tmp_path, twilio, **settings, **story.telling(endpoint)) as system:
        system.up()
        story.one_of_each(system, model, endpoint)
        page = system.http.get(f"{system.url}/metrics").text
    assert "recado_replies_total" in page
    assert promtool("check", "metrics", stdin=page) == ""
