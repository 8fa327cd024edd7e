"""The results as a picture: a panel for each figure, a bar for each server, ours in colour."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import CaseResult, FigureResult, PeerResult, Results
from benchmarks.summary import Summary, significant
from benchmarks.table import OURS

Measured = tuple[str, PeerResult, Summary]

_RATIO_TO_SHOW = 12  # from the least to the greatest; above that a bar of the least would not be seen
_INK, _QUIET, _PAPER = "#22302f", "#8a9794", "#fbfaf7"
_COLOUR, _OTHER, _LOOP = "#d9572b", "#b9c4c1", "#e4e9e7"
_LOOPS = "bare"
_COLUMNS = 2
# In inches: a panel is a head of two lines over a row for each server; names stand left of its bars.
_WIDTH, _EDGE, _NAMES, _GAP = 11.0, 0.25, 1.35, 0.45
_ROW, _HEAD, _FOOT = 0.25, 0.72, 0.62


def draw(results: Results, path: Path) -> None:
    """Write the picture (PNG); nothing where no figure has been measured for two servers."""
    panels = [(case, figure) for case in results.cases.values() for figure in case.figures]
    panels = [panel for panel in panels if len(_measured(*panel)) > 1]
    if not panels:
        return
    lines = [panels[at : at + _COLUMNS] for at in range(0, len(panels), _COLUMNS)]
    heights = [_HEAD + _ROW * max(len(_measured(*panel)) for panel in line) for line in lines]
    height = sum(heights) + _FOOT
    width = (_WIDTH - 2 * _EDGE - (_COLUMNS - 1) * _GAP) / _COLUMNS
    with pyplot.rc_context(
        {"font.family": "DejaVu Sans", "font.size": 9, "text.color": _INK, "axes.unicode_minus": False}
    ):
        drawing = pyplot.figure(figsize=(_WIDTH, height), facecolor=_PAPER)
        top = height
        for line, line_height in zip(lines, heights, strict=True):
            for column, (case, figure) in enumerate(line):
                measured = _measured(case, figure)
                left = _EDGE + column * (width + _GAP)
                bars = _ROW * len(measured)
                _draw_head(drawing, figure, _is_logarithmic(measured), left / _WIDTH, top / height, height)
                inside = (
                    (left + _NAMES) / _WIDTH,
                    (top - _HEAD - bars) / height,
                    (width - _NAMES) / _WIDTH,
                    bars / height,
                )
                _draw_bars(drawing.add_axes(inside), measured)
            top -= line_height
        drawing.text(_EDGE / _WIDTH, 0.14 / height, _caption(results), fontsize=7.5, color=_QUIET, va="bottom")
        drawing.savefig(path, dpi=160, facecolor=_PAPER)
        pyplot.close(drawing)


def _measured(case: CaseResult, figure: FigureResult) -> list[Measured]:
    """The peers that have values for a figure, best first."""
    found = [
        (name, peer, Summary.of(peer.values[figure.name]))
        for name, peer in case.peers.items()
        if peer.values.get(figure.name)
    ]
    return sorted(found, key=lambda it: it[2].median, reverse=figure.more_is_better)


def _is_logarithmic(measured: Sequence[Measured]) -> bool:
    medians = [it.median for _, _, it in measured]
    return min(medians) > 0 and max(medians) / min(medians) > _RATIO_TO_SHOW


def _draw_head(
    drawing: Figure, figure: FigureResult, logarithmic: bool, left: float, top: float, height: float
) -> None:
    better = "more is better" if figure.more_is_better else "less is better"
    about = f"{figure.unit}, {better}{', logarithmic' if logarithmic else ''}"
    title = figure.title[0].upper() + figure.title[1:]
    drawing.text(left, top - 0.28 / height, title, fontweight="bold", fontsize=10, va="top")
    drawing.text(left, top - 0.47 / height, about, color=_QUIET, fontsize=8, va="top")


def _draw_bars(axes: Axes, measured: Sequence[Measured]) -> None:
    axes.set_axis_off()
    logarithmic = _is_logarithmic(measured)
    least = min(it.least for _, _, it in measured)
    floor = least / 2 if logarithmic else 0.0
    for row, (name, peer, it) in enumerate(measured):
        ours = name == OURS
        weight = "bold" if ours else "normal"
        bar = _COLOUR if ours else _LOOP if name.startswith(_LOOPS) else _OTHER
        axes.barh(row, it.median - floor, left=floor, height=0.7, color=bar, zorder=2)
        if it.greatest > it.least:
            axes.plot([it.least, it.greatest], [row, row], color=_INK, linewidth=0.9, alpha=0.65, zorder=3)
        label = peer.label + ("*" if peer.remarks else "")
        axes.text(-0.02, row, label, ha="right", va="center", transform=axes.get_yaxis_transform(), fontweight=weight)
        axes.annotate(
            significant(it.median),
            (max(it.median, it.greatest), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontweight=weight,
            color=_COLOUR if ours else _INK,
        )
    greatest = max(it.greatest for _, _, it in measured)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(floor, greatest * (greatest / floor) ** 0.22)
    else:
        axes.set_xlim(0, greatest * 1.22)
    axes.set_ylim(len(measured) - 0.5, -0.5)


def _caption(results: Results) -> str:
    machine = next(iter(results.cases.values())).machine
    lines = [
        f"Medians; thin lines are from the least to the greatest round. {machine.processor}, {machine.cores} cores.",
        "Bare C loop: one thread, a send() for each event, or (joined) for all that wait: the load client's limit.",
    ]
    if any(peer.remarks for case in results.cases.values() for peer in case.peers.values()):
        lines.append("* Not everybody got everything: see the table.")
    return "\n".join(lines)
