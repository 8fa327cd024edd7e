"""The dashboard as a picture: its panels where Grafana has them, with what Prometheus answers."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tests.monitoring.dashboard import Panel
from tests.monitoring.prometheus import Prometheus

_INK, _MUTED, _GRID, _PAPER = "#1f2933", "#7b8794", "#e4e7eb", "#ffffff"
_COLOURS = ("#d9572b", "#2f80c2", "#3a9d6c", "#8e6bbf", "#e08e0b", "#7a5c3e", "#c2185b", "#5d6d7e")

Happening = tuple[float, str]
"""When (seconds since the epoch), and what."""


def draw(
    panels: Sequence[Panel],
    prometheus: Prometheus,
    began: float,
    ended: float,
    happenings: Sequence[Happening],
    path: Path,
) -> None:
    """Write the picture (PNG), with a numbered line in each panel for each happening, and what they were below."""
    rows, columns = 1 + max(panel.row for panel in panels), 1 + max(panel.column for panel in panels)
    step_s = max(1.0, (ended - began) / 300)
    with mpl.rc_context({"font.size": 8, "font.family": "DejaVu Sans", "text.color": _INK, "axes.edgecolor": _GRID}):
        figure, grid = pyplot.subplots(
            rows, columns, figsize=(4.6 * columns, 2.25 * rows + 0.5), sharex=True, layout="constrained", squeeze=False
        )
        figure.get_layout_engine().set(h_pad=0.1, w_pad=0.1)
        for panel in panels:
            axes = grid[panel.row][panel.column]
            _draw_series(axes, panel, prometheus, (began, ended), step_s)
            _draw_frame(axes, panel)
            for number, (at, _) in enumerate(happenings, 1):
                axes.axvline(at - began, color=_MUTED, linewidth=0.7, linestyle=":", zorder=1)
                axes.text(
                    at - began, 1.0, str(number), transform=axes.get_xaxis_transform(),
                    color=_MUTED, fontsize=7, ha="center", va="bottom",
                )  # fmt: skip
        for axes in grid[-1]:
            axes.set_xlabel("seconds", color=_MUTED)
            axes.set_xlim(0, ended - began)
        figure.supxlabel(
            "   ".join(f"{number}  {what}" for number, (_, what) in enumerate(happenings, 1)), fontsize=8, color=_INK
        )
        figure.savefig(path, dpi=100, facecolor=_PAPER)
        pyplot.close(figure)


def _draw_series(axes: Axes, panel: Panel, prometheus: Prometheus, times: tuple[float, float], step_s: float) -> None:
    number = 0
    for query in panel.queries:
        answer = prometheus.ask_range(query.expression, *times, step_s)
        for series in sorted(answer, key=lambda it: query.name(it["metric"])):
            points = _without_holes([(float(at) - times[0], float(value)) for at, value in series["values"]], step_s)
            colour = _COLOURS[number % len(_COLOURS)]
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.2, label=query.name(series["metric"]))
            number += 1


def _without_holes(points: list[tuple[float, float]], step_s: float) -> list[tuple[float, float]]:
    """Split a line where Prometheus has no values, so that it is not drawn straight across."""
    found = points[:1]
    for before, point in pairwise(points):
        if point[0] - before[0] > 1.5 * step_s:
            found.append((before[0] + step_s, math.nan))
        found.append(point)
    return found


def _draw_frame(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, loc="left", fontweight="bold", fontsize=9, pad=12)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _as_grafana(value, panel.unit)))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=panel.unit == "short" and axes.get_ylim()[1] > 1))
    lines = math.ceil(len(axes.get_legend_handles_labels()[1]) / 2)
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1] * (1 + 0.14 * lines), 1e-6))
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.tick_params(colors=_MUTED, length=0)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", frameon=False, fontsize=7, ncols=2, handlelength=1.0, columnspacing=1.0)


def _as_grafana(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
    if unit == "bytes":
        return f"{value / (1 << 20):.3g} MiB"
    text = f"{value / 1000:.4g}k" if value >= 10_000 else f"{value:.4g}"
    return f"{text}/s" if unit == "reqps" else text
