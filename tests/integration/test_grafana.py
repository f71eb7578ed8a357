"""Every panel of the dashboard shows what it says it shows, of a system to which it all happened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from ops.grafana.dashboard import FILE, as_json
from tests.fakes.endpoint import FakeEndpoint
from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import SETTINGS as SUPERVISED
from tests.supervisor.stage import Stage, kill
from tests.support.prometheus import Prometheus, needs_prometheus
from tests.support.redis_server import RedisServer
from tests.support.system import System
from tests.support.waiting import eventually

from . import story

DASHBOARD = json.loads(FILE.read_text())
ROWS = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

#: What is chosen on the page, and what Grafana puts into queries itself.
VARIABLES = {
    "$__rate_interval": "10s",
    "$__interval": "2s",
    "$__range": "10m",
    "$queue": ".*",
    "$instance": ".*",
    "${datasource}": "prometheus",
}

#: As long as `$__interval`, so that bars neither overlap nor leave anything out; in seconds.
STEP_S = 2.0


class Seen(NamedTuple):
    """What happened, and who saw it."""

    system: System
    prometheus: Prometheus


def filled_in(text: str) -> str:
    """A query as Grafana sends it."""
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    assert "$" not in text, f"no such variable: {text}"
    return text


def queries_of(panel: Mapping[str, Any]) -> Sequence[str]:
    return [filled_in(target["expr"]) for target in panel["targets"]]


def panel_called(title: str, row: str) -> Mapping[str, Any]:
    top = next(each["gridPos"]["y"] for each in ROWS if each["title"] == row)
    return next(each for each in PANELS if each["title"] == title and each["gridPos"]["y"] > top)


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio, llmock_server: LLMockServer
) -> Iterator[Seen]:
    """`recado up` on SQLite, to which everything happened twice, and an API whose Redis is away."""
    model = LLMock(llmock_server)
    settings = {**SUPERVISED, **story.SETTINGS, **story.asking(model)}
    directory = tmp_path_factory.mktemp("seen")
    with (
        FakeEndpoint() as endpoint,
        Stage(directory, twilio, **settings, **story.telling(endpoint)) as system,
        RedisServer(tmp_path_factory.mktemp("redis")) as redis,
        System(
            tmp_path_factory.mktemp("spooling"), twilio, QUEUE_BACKEND="redis", REDIS_URL=redis.url
        ) as spooling,
    ):
        up = system.up()
        spooling.api()
        with Prometheus(directory, [system.url, spooling.url]) as prometheus:
            prometheus.look_again()
            story.one_of_each(system, model, endpoint)  # its series begin
            prometheus.look_again()
            redis.kill()
            spooling.write("Oi", sender=spooling.contact())
            kill(up.pids()["worker-1"])
            eventually(
                lambda: system.metric("recado_supervisor_restarts_total", kind="worker", reason="killed") == 1
            )
            up.wait_until_ready()
            story.one_of_each(system, model, endpoint)  # and go on
            prometheus.look_again()
            yield Seen(system, prometheus)
            redis.start()  # the spooling system counts its queue when it ends


def test_the_file_is_what_is_generated() -> None:
    assert FILE.read_text() == as_json(), "run `make grafana`"


def test_every_panel_says_what_it_shows() -> None:
    for panel in PANELS:
        assert len(panel["description"]) > 10, panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["legendFormat"] for target in panel["targets"])
        assert (
            panel["type"] == "heatmap"
            or panel["fieldConfig"]["defaults"].get("unit")
            or panel["type"] == "state-timeline"
        )


def test_panels_fill_their_rows_and_do_not_overlap() -> None:
    cells: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in cells, (panel["title"], cells[x, y])
                cells[x, y] = panel["title"]
    height = max(y for _, y in cells) + 1
    assert len(cells) == 24 * height, "no holes, and nothing beyond the right edge"


@needs_prometheus
def test_every_panel_has_data(seen: Seen) -> None:
    silent = [
        f"{panel['title']}: {query}"
        for panel in PANELS
        for query in queries_of(panel)
        if not any(
            series.says_something for series in seen.prometheus.ask_since_the_start(query, step_s=STEP_S)
        )
    ]
    assert not silent, "\n".join(silent)


@needs_prometheus
def test_numbers_are_those_of_now(seen: Seen) -> None:
    for panel in PANELS:
        if panel["type"] == "stat":
            [query] = queries_of(panel)
            assert [series.says_something for series in seen.prometheus.ask(query)] == [True], panel["title"]


@needs_prometheus
@pytest.mark.parametrize(
    ("row", "title", "labels", "happened"),
    [
        ("Customers", "Replies", {"state": "sent"}, 6),
        ("Customers", "Replies", {"state": "lost"}, 2),
        ("Customers", "Replies", {"state": "failed"}, 2),
        ("Customers", "Deliveries", {"status": "undelivered"}, 2),
        ("Queues", "New dead letters", {"queue": "messages", "reason": "failed"}, 2),
        ("Queues", "New dead letters", {"queue": "replies", "reason": "failed"}, 4),
        ("Workers", "Restarts", {"kind": "worker", "reason": "killed"}, 1),
        ("The model", "Errors", {"provider": "openai", "error": "ResponderRefused"}, 2),
        ("Twilio", "Errors", {"operation": "send", "error": "21211"}, 2),
        ("The front door", "Refused", {"webhook": "messages", "outcome": "bad_signature"}, 2),
        ("Budget and other systems", "Events to other systems", {"receiver": "1", "outcome": "refused"}, 2),
        ("Budget and other systems", "Events to other systems", {"receiver": "1", "outcome": "lost"}, 2),
    ],
)
def test_bars_count_what_happened_from_the_first_time_on(
    seen: Seen, row: str, title: str, labels: Mapping[str, str], happened: int
) -> None:
    [query] = queries_of(panel_called(title, row))
    shown = {
        tuple(sorted(series.labels.items())): sum(value for _, value in series.samples)
        for series in seen.prometheus.ask_since_the_start(query, step_s=STEP_S)
    }
    assert shown[tuple(sorted(labels.items()))] == happened


@needs_prometheus
def test_choices_are_there_to_choose_from(seen: Seen) -> None:
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]).groups()  # type: ignore[union-attr]
            assert seen.prometheus.get(f"label/{label}/values", **{"match[]": metric}), variable["name"]


@needs_prometheus
def test_rules_are_evaluated_without_error(seen: Seen) -> None:
    def evaluated() -> list[Mapping[str, Any]]:
        rules = [rule for group in seen.prometheus.get("rules")["groups"] for rule in group["rules"]]
        return rules if all(rule["health"] != "unknown" for rule in rules) else []

    assert [rule["name"] for rule in eventually(evaluated) if rule["health"] != "ok"] == []


@needs_prometheus
def test_marks_of_alerts_are_asked_for_in_a_way_that_is_understood(seen: Seen) -> None:
    for annotation in DASHBOARD["annotations"]["list"]:
        seen.prometheus.ask(filled_in(annotation["expr"]))
