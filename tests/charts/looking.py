"""What Grafana would ask for a dashboard, and what it was told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.prometheus import Prometheus, Series

#: The rows that are drawn.
ROWS = ("Customers", "Queues", "Workers")

#: How far apart two points are, and two bars, in seconds. A rate looks back over several looks of Prometheus.
STEP_S, BAR_S, RATE_S = 3, 15, 20


class Line(NamedTuple):
    """A series under the name it has in the legend.

    Attributes:
      name: as the panel calls it.
      series: its samples.
    """

    name: str
    series: Series


class Shown(NamedTuple):
    """A panel, and all that it shows.

    Attributes:
      panel: as the dashboard describes it.
      lines: what its queries found.
    """

    panel: Mapping[str, Any]
    lines: Sequence[Line]


def look(
    dashboard: Mapping[str, Any], prometheus: Prometheus, began_at: float, ended_at: float
) -> Sequence[Shown]:
    """Ask everything that the drawn rows show.

    Parameters:
      began_at, ended_at: the time shown, in seconds since the epoch.
    """
    row, shown = "", []
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        if row in ROWS:
            lines = [
                line
                for target in panel.get("targets", ())
                for line in _ask(prometheus, panel, target, began_at, ended_at)
            ]
            shown.append(Shown(panel, lines))
    return shown


def _ask(
    prometheus: Prometheus,
    panel: Mapping[str, Any],
    target: Mapping[str, Any],
    began_at: float,
    ended_at: float,
) -> Sequence[Line]:
    step_s = BAR_S if panel.get("interval") or panel["type"] == "heatmap" else STEP_S
    variables = {
        "$__rate_interval": f"{BAR_S if panel['type'] == 'heatmap' else RATE_S}s",
        "$__interval": f"{step_s}s",
        "$__range": f"{ended_at - began_at:.0f}s",
        "$queue": ".*",
        "$instance": ".*",
    }
    expr = target["expr"]
    for variable, value in variables.items():
        expr = expr.replace(variable, value)
    if panel["type"] == "stat":
        found = prometheus.ask(expr)
    else:
        found = prometheus.ask_between(expr, began_at, ended_at, step_s=step_s)
    return [Line(_name(target["legendFormat"], series.labels), series) for series in found]


def _name(legend: str, labels: Mapping[str, str]) -> str:
    """The legend's text with the labels in it. The machine is called as in ops/deploy, not by its port."""
    known = {**labels, "instance": "api:8000"}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: known.get(match[1], ""), legend)
