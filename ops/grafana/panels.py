"""How panels look: one way for each kind of thing that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models import prometheus as prometheus_models

#: Chosen on the page.
DATASOURCE = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")

#: The grid is 24 wide.
THIRD, HALF, QUARTER, SIXTH = 8, 12, 6, 4
_HEIGHT, _LOW = 8, 4

_GREEN, _ORANGE, _RED, _BLUE, _GREY = "green", "orange", "red", "blue", "#8e8e8e"

#: What is well, what is not yet, and what is bad, has the same colour on every panel.
_COLOURS: Mapping[str, str] = {
    "accepted": _GREEN,
    "answered": _GREEN,
    "delivered": "dark-green",
    "done": _GREEN,
    "read": _BLUE,
    "ready": _BLUE,
    "sent": _GREEN,
    "deferred": _GREY,
    "delayed": _GREY,
    "running": _GREEN,
    "retried": "yellow",
    "not_yet": "yellow",
    "unknown": _ORANGE,
    "unavailable": _ORANGE,
    "expired": _ORANGE,
    "skipped": _ORANGE,
    "undelivered": _ORANGE,
    "bad_signature": "purple",
    "dead": _RED,
    "failed": _RED,
    "lost": "dark-red",
    "max_deliveries": "dark-red",
    "never": _RED,
    "refused": _RED,
}


class Query(NamedTuple):
    """One question to Prometheus.

    Attributes:
      expr: in PromQL.
      legend: how each series is called, with labels as `{{queue}}`.
    """

    expr: str
    legend: str


def lines(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    width: int = THIRD,
    words: Sequence[str] = (),
    limits: Mapping[float, str] | None = None,
) -> Builder[models.Panel]:
    """Values over time.

    Parameters:
      unit: Grafana's name for it.
      width: of 24.
      words: legends, or the last words of legends, that have a colour of their own.
      limits: values to draw a line at, each with its colour. The lowest is always to be seen.
    """
    panel = _series(title, description, queries, unit=unit, width=width, words=words)
    panel.fill_opacity(8).line_width(2)
    if limits:
        panel.axis_soft_max(1.1 * min(limits))
        panel.thresholds(_steps({None: "transparent"} | dict(limits))).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        )
    return panel


def bars(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    width: int = THIRD,
    words: Sequence[str] = (),
) -> Builder[models.Panel]:
    """How often something happened, and when: stacked, so that the height is all of it."""
    return (
        _series(title, description, queries, unit="short", width=width, words=words)
        .draw_style(common_models.GraphDrawStyle.BARS)
        .interval("1m")  # at least: an event is in one bar, and no bar is thinner than a few scrapes
        .fill_opacity(70)
        .line_width(0)
        .stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    )


def number(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str,
    limits: Mapping[float | None, str],
    decimals: int = 0,
) -> Builder[models.Panel]:
    """One value, which says by its colour whether it is well.

    Parameters:
      limits: from which value on it has which colour; None is where it begins.
    """
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(_target(Query(expr, title), "A").instant())
        .unit(unit)
        .decimals(decimals)
        .thresholds(_steps(limits))
        .color_mode(common_models.BigValueColorMode.BACKGROUND)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .no_value("none")
        .span(SIXTH)
        .height(_LOW)
    )


def spread(title: str, description: str, expr: str, *, width: int) -> Builder[models.Panel]:
    """How often each duration occurred, over time, from a histogram's buckets."""
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(_target(Query(expr, "{{le}}"), "A").format(prometheus_models.PromQueryFormat.HEATMAP))
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_models.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .steps(64)
            .reverse(False)
        )
        .cell_gap(1)
        .y_axis(heatmap.YAxisConfig().unit("s").axis_placement(common_models.AxisPlacement.LEFT))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .span(width)
        .height(_HEIGHT)
    )


def states(
    title: str, description: str, query: Query, *, names: Mapping[int, tuple[str, str]], width: int
) -> Builder[models.Panel]:
    """What was the case when.

    Parameters:
      names: what each value means, and its colour.
    """
    options: dict[str, models.ValueMappingResult] = {
        str(value): models.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(names.items())
    }
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(_target(query, "A"))
        .mappings([models.ValueMap(options=options)])
        .show_value(common_models.VisibilityMode.AUTO)
        .row_height(0.7)
        .fill_opacity(80)
        .legend(common.VizLegendOptions().show_legend(False))
        .span(width)
        .height(_HEIGHT)
    )


def _series(
    title: str, description: str, queries: Sequence[Query], *, unit: str, width: int, words: Sequence[str]
) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .show_points(common_models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
        .span(width)
        .height(_HEIGHT)
    )
    for name, query in zip("ABCD", queries, strict=False):
        panel.with_target(_target(query, name))
    for word in words:
        colour = models.DynamicConfigValue(
            id_val="color", value={"mode": "fixed", "fixedColor": _COLOURS[word]}
        )
        panel.override_by_regexp(f"/(^| ){word}$/", [colour])
    return panel


def _target(query: Query, name: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .expr(query.expr)
        .legend_format(query.legend)
        .ref_id(name)
        .range()
    )


def _steps(limits: Mapping[float | None, str]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in limits.items()])
    )
