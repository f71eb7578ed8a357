"""Panels on paper: at their places in the grid, in their colours, with their units."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .looking import Line, Shown

#: A cell of Grafana's grid, in inches, and the pixels of one.
CELL_W, CELL_H, DPI = 0.68, 0.31, 100

#: What lies above the panels and below, and around each, in inches.
HEAD, FOOT, GAP = 0.55, 0.42, 0.06

CANVAS, PANEL, EDGE, GRID = "#111217", "#181b1f", "#2a2d33", "#2a2e35"
INK, FAINT = "#d8d9da", "#8e9197"

#: Grafana's names of colours, and its palette for series without one.
NAMED = {
    "green": "#73bf69",
    "dark-green": "#37872d",
    "yellow": "#fade2a",
    "orange": "#ff9830",
    "red": "#f2495c",
    "dark-red": "#c4162a",
    "blue": "#5794f2",
    "purple": "#b877d9",
    "transparent": "none",
}
PALETTE = (
    "#73bf69",
    "#f2cc0c",
    "#8ab8ff",
    "#ff780a",
    "#f2495c",
    "#5794f2",
    "#b877d9",
    "#705da0",
    "#37872d",
    "#fade2a",
)

HEAT = LinearSegmentedColormap.from_list("heat", ["#2b1a10", "#8f3b0c", "#e5710f", "#ffd7a1"])


def draw(shown: Sequence[Shown], title: str, caption: str, picture: Path) -> None:
    """Draw panels into a file.

    Parameters:
      shown: rows and panels, with what was found.
      title: above them.
      caption: below: what this is, and what it is not.
      picture: the PNG to write.
    """
    mpl.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "text.parse_math": False})
    height = max(each.panel["gridPos"]["y"] + each.panel["gridPos"]["h"] for each in shown)
    width_in, height_in = 24 * CELL_W + 2 * GAP, height * CELL_H + HEAD + FOOT
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, facecolor=CANVAS)
    figure.text(0.012, 1 - 0.5 * HEAD / height_in, title, color=INK, size=14, weight="bold", va="center")
    figure.text(0.012, 0.5 * FOOT / height_in, caption, color=FAINT, size=8.5, va="center")
    times = [_time(at) for each in shown for line in each.lines for at, _ in line.series.samples]
    span = (min(times), max(times))
    for each in shown:
        place = each.panel["gridPos"]
        left, top = GAP + place["x"] * CELL_W, HEAD + place["y"] * CELL_H
        frame = (left, height_in - top - place["h"] * CELL_H, place["w"] * CELL_W, place["h"] * CELL_H)
        _draw_one(figure, each, frame, (width_in, height_in), span)
    picture.parent.mkdir(exist_ok=True)
    figure.savefig(picture, facecolor=CANVAS)


def _draw_one(
    figure: Figure,
    shown: Shown,
    frame: tuple[float, float, float, float],
    size: tuple[float, float],
    span: tuple[datetime, datetime],
) -> None:
    """One row's title, or one panel.

    Parameters:
      frame: left, bottom, width and height, in inches.
      size: of the figure, in inches.
      span: the time shown.
    """
    left, bottom, width, height = frame

    def part(x: float, y: float) -> tuple[float, float]:
        return (left + x) / size[0], (bottom + y) / size[1]

    if shown.panel["type"] == "row":
        figure.text(
            *part(0.1, height / 2), shown.panel["title"], color=INK, size=10.5, weight="bold", va="center"
        )
        return
    corner = part(GAP / 2, GAP / 2)
    box = FancyBboxPatch(
        corner,
        (width - GAP) / size[0],
        (height - GAP) / size[1],
        boxstyle="round,pad=0,rounding_size=0.002",
        mutation_aspect=size[0] / size[1],
        facecolor=PANEL,
        edgecolor=EDGE,
        linewidth=0.8,
        transform=figure.transFigure,
        zorder=-1,  # below the axes
    )
    figure.add_artist(box)
    title = figure.text(*part(0.14, height - 0.2), shown.panel["title"], color=INK, size=9, va="center")
    if shown.panel["type"] == "stat":
        _number(shown, box, title, figure, part(width / 2, height * 0.42))
        return
    x, y = part(0.6, 0.55)
    axes = figure.add_axes((x, y, (width - 0.8) / size[0], (height - 0.95) / size[1]), facecolor="none")
    _DRAWN[shown.panel["type"]](axes, shown)
    _dress(axes)
    axes.set_xlim(*map(dates.date2num, span))
    if shown.panel["type"] == "timeseries":
        _legend(axes)


# -- kinds of panels -----------------------------------------------------------------------------------------


def _number(
    shown: Shown, box: FancyBboxPatch, title: Any, figure: Figure, middle: tuple[float, float]
) -> None:
    defaults = shown.panel["fieldConfig"]["defaults"]
    value = shown.lines[0].series.samples[-1][1]
    steps = defaults["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    box.set(facecolor=NAMED[colour], edgecolor="none")
    title.set_color("#101214")
    text = _formatter(defaults["unit"], defaults.get("decimals"))(value)
    figure.text(*middle, text, color="#101214", size=21, weight="bold", ha="center", va="center")


def _series(axes: Axes, shown: Shown) -> None:
    defaults = shown.panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    is_stacked = custom.get("drawStyle") == "bars"
    lines = sorted(shown.lines, key=_peak, reverse=True)  # there may be no place for the last in the legend
    floor: dict[float, float] = {}
    for number, line in enumerate(lines):
        colour = _colour(shown.panel, line, number)
        points = [(at, value) for at, value in line.series.samples if not math.isnan(value)]
        times, values = [_time(at) for at, _ in points], [value for _, value in points]
        if is_stacked:
            base = [floor.get(at, 0.0) for at, _ in points]
            step = min(b[0] - a[0] for a, b in pairwise(points)) / 86_400
            axes.bar(times, values, width=0.8 * step, bottom=base, color=colour, label=line.name, alpha=0.85)
            floor |= {at: floor.get(at, 0.0) + value for at, value in points}
        else:
            gap = 3 * (points[1][0] - points[0][0]) if len(points) > 1 else 0
            for piece in _pieces(points, gap):
                axes.plot([_time(at) for at, _ in piece], [v for _, v in piece], color=colour, linewidth=1.4)
                axes.fill_between(
                    [_time(at) for at, _ in piece], [v for _, v in piece], color=colour, alpha=0.08
                )
            axes.plot([], [], color=colour, linewidth=2, label=line.name)
    top = max(1.05 * axes.get_ylim()[1], custom.get("axisSoftMax", 0.0))
    axes.set_ylim(0, top)
    for step in (defaults.get("thresholds") or {}).get("steps", ()):
        if step["value"] is not None and step["value"] <= top:
            axes.axhline(step["value"], color=NAMED[step["color"]], linewidth=1, linestyle=(0, (6, 4)))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=is_stacked))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _formatter(defaults["unit"], None)(value)))


def _heat(axes: Axes, shown: Shown) -> None:
    """How many fell between one bucket's limit and the next, from what is counted up to each limit."""
    by_limit = {float(line.name.replace("+Inf", "inf")): dict(line.series.samples) for line in shown.lines}
    limits = sorted(by_limit)
    most = 0.0
    cells: list[tuple[float, int, float]] = []
    for row, limit in enumerate(limits):
        below = by_limit[limits[row - 1]] if row else {}
        for at, count in by_limit[limit].items():
            cells.append((at, row, count - below.get(at, 0.0)))
            most = max(most, cells[-1][2])
    times = sorted({at for at, _, _ in cells})
    width = (times[1] - times[0]) / 86_400
    for at, row, count in cells:
        if count > 0.01:
            axes.add_patch(
                Rectangle(
                    (dates.date2num(_time(at)) - width, row),
                    width * 0.92,
                    0.9,
                    color=HEAT((count / most) ** 0.6),
                )
            )
    used = [row for _, row, count in cells if count > 0.01]
    axes.set_ylim(min(used), max(used) + 1)
    names = ["∞" if math.isinf(limit) else _formatter("s", None)(limit) for limit in limits]
    axes.set_yticks([row + 1 for row in range(len(limits))], names)


_DRAWN = {"timeseries": _series, "heatmap": _heat}


# -- how they are dressed ------------------------------------------------------------------------------------


def _dress(axes: Axes) -> None:
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, length=0, labelsize=7.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=6))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))


def _legend(axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    if not names:
        return
    columns = max(1, min(len(names), int(axes.get_window_extent().width / (5.2 * max(map(len, names)) + 34))))
    kept = min(len(names), 2 * columns)
    axes.legend(
        handles[:kept],
        names[:kept],
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.11),
        ncols=columns,
        frameon=False,
        fontsize=7,
        labelcolor=INK,
        handlelength=1.0,
        handleheight=0.6,
        columnspacing=1.0,
        labelspacing=0.25,
        borderpad=0,
    )


def _peak(line: Line) -> float:
    return max((value for _, value in line.series.samples if not math.isnan(value)), default=0.0)


def _colour(panel: Mapping[str, Any], line: Line, number: int) -> str:
    for override in panel["fieldConfig"].get("overrides", ()):
        if re.search(override["matcher"]["options"].strip("/"), line.name):
            name = str(override["properties"][0]["value"]["fixedColor"])
            return NAMED.get(name, name)
    return PALETTE[number % len(PALETTE)]


def _pieces(points: Sequence[tuple[float, float]], gap: float) -> list[list[tuple[float, float]]]:
    """A line, broken where there is nothing for a while."""
    pieces: list[list[tuple[float, float]]] = []
    for point in points:
        if not pieces or point[0] - pieces[-1][-1][0] > gap:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at)  # noqa: DTZ006  a clock on the wall


def _formatter(unit: str, decimals: int | None) -> Callable[[float], str]:
    """Values as Grafana writes them."""

    def write(value: float) -> str:
        if unit == "s":
            return _plain(value * 1000, 0) + " ms" if 0 < value < 1 else _plain(value, decimals) + " s"
        if unit == "percentunit":
            return _plain(100 * value, decimals) + " %"
        if unit == "bytes":
            return f"{value / 2**20:.0f} MiB"
        suffix = {"ops": " ops/s", "reqps": " req/s"}.get(unit, "")
        return _plain(value, decimals) + suffix

    return write


def _plain(value: float, decimals: int | None) -> str:
    return f"{value:.{decimals}f}" if decimals is not None else f"{value:.3g}"
