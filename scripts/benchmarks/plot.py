"""The results as a picture: a panel for each figure, a bar for each server, ours in colour."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.results import CaseResult, FigureResult, PeerResult, Results
from benchmarks.summary import Summary, significant
from benchmarks.table import OURS

_INK, _QUIET, _PAPER = "#22302f", "#8a9794", "#fbfaf7"
_COLOUR, _OTHER, _LOOP = "#d9572b", "#b9c4c1", "#e4e9e7"
_COLUMNS = 2
_ROW_INCHES, _HEAD_INCHES, _WIDTH_INCHES = 0.27, 0.75, 11.0


def draw(results: Results, path: Path) -> None:
    """Write the picture (PNG); nothing where there are no values."""
    panels = [
        (case, figure) for case in results.cases.values() for figure in case.figures if len(_measured(case, figure)) > 1
    ]
    if not panels:
        return
    rows = math.ceil(len(panels) / _COLUMNS)
    heights = [
        max(len(_measured(*panel)) for panel in panels[row * _COLUMNS : (row + 1) * _COLUMNS]) * _ROW_INCHES
        + _HEAD_INCHES
        for row in range(rows)
    ]
    with pyplot.rc_context(
        {"font.family": "DejaVu Sans", "font.size": 9, "text.color": _INK, "axes.unicode_minus": False}
    ):
        drawing, axes = pyplot.subplots(
            rows,
            _COLUMNS,
            figsize=(_WIDTH_INCHES, sum(heights) + 0.6),
            height_ratios=heights,
            squeeze=False,
            facecolor=_PAPER,
        )
        for each in axes.flat:
            each.set_axis_off()
        for (case, figure), each in zip(panels, axes.flat, strict=False):
            _draw_panel(each, figure, _measured(case, figure))
        drawing.text(0.012, 0.004, _caption(results), fontsize=7.5, color=_QUIET, va="bottom")
        drawing.tight_layout(rect=(0, 0.45 / (sum(heights) + 0.6), 1, 1), h_pad=1.4, w_pad=2.5)
        drawing.savefig(path, dpi=160, facecolor=_PAPER)
        pyplot.close(drawing)


def _measured(case: CaseResult, figure: FigureResult) -> list[tuple[str, PeerResult, Summary]]:
    """Who has values for a figure, best first."""
    found = [
        (name, peer, Summary.of(peer.values[figure.name]))
        for name, peer in case.peers.items()
        if peer.values.get(figure.name)
    ]
    return sorted(found, key=lambda it: it[2].median, reverse=figure.more_is_better)


def _draw_panel(axes: Axes, figure: FigureResult, measured: Sequence[tuple[str, PeerResult, Summary]]) -> None:
    medians = [it.median for _, _, it in measured]
    logarithmic = min(medians) > 0 and max(medians) / min(medians) > 20
    floor = 10 ** math.floor(math.log10(min(medians)) - 0.3) if logarithmic else 0.0
    for row, (name, peer, it) in enumerate(measured):
        ours = name == OURS
        colour = _COLOUR if ours else _LOOP if name.startswith("bare") else _OTHER
        weight = "bold" if ours else "normal"
        axes.barh(row, it.median - floor, left=floor, height=0.68, color=colour, zorder=2)
        if it.greatest > it.least:
            axes.plot([it.least, it.greatest], [row, row], color=_INK, linewidth=0.9, alpha=0.65, zorder=3)
        axes.text(
            -0.012, row, peer.label, ha="right", va="center", transform=axes.get_yaxis_transform(), fontweight=weight
        )
        star = "*" if peer.remarks else ""
        axes.annotate(
            significant(it.median) + star,
            (max(it.median, it.greatest), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontweight=weight,
            color=_COLOUR if ours else _INK,
        )
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xlim(floor or 0, max(it.greatest for _, _, it in measured) * (3.2 if logarithmic else 1.18))
    axes.set_ylim(len(measured) - 0.4, -0.6)
    better = "more is better" if figure.more_is_better else "less is better"
    axes.set_title(figure.title, loc="left", fontweight="bold", fontsize=10, pad=16, x=-0.34)
    axes.text(
        -0.34,
        1.0,
        f"{figure.unit}, {better}{', logarithmic' if logarithmic else ''}",
        transform=axes.transAxes,
        color=_QUIET,
        fontsize=8,
        va="bottom",
    )


def _caption(results: Results) -> str:
    machine = next(iter(results.cases.values())).machine
    starred = any(peer.remarks for case in results.cases.values() for peer in case.peers.values())
    return (
        f"Medians, and thin lines from the least to the greatest round. {machine.processor}, {machine.cores} cores."
        + (" * not everybody got everything: see the table." if starred else "")
    )
