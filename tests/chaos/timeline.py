"""The picture of a run: what suffered which fault, who was cut off and came back, and what flowed meanwhile."""

from collections import Counter
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tests.chaos.records import spans
from tests.chaos.run import Run

INK, MUTED, GRID, PAPER = "#1f2933", "#7b8794", "#e4e7eb", "#ffffff"
FAULTS = {
    "kill": ("#c0392b", "kill -9"),
    "stop": ("#8e6bbf", "SIGSTOP"),
    "reset": ("#e08e0b", "cut, with resets"),
    "swallow": ("#2f80c2", "cut, without a word"),
    "replace": ("#111111", "log replaced by an older copy"),
    "cut": ("#e08e0b", "cut from the others"),
    "lose": ("#111111", "the master lost, with what no replica has"),
    "flush": ("#7a5c3e", "FLUSHALL"),
    "forget": ("#a0522d", "a key deleted"),
    "unload": ("#5f9ea0", "SCRIPT FLUSH"),
    "hang up": ("#2f80c2", "connections closed"),
    "promote": ("#3a9d6c", "planned switch"),
    "full": ("#7a5c3e", "no room"),
}
AWAY, BREAK, GAP, PUSHED, HANDED = "#9aa5b1", "#c0392b", "#c0392b", "#2f80c2", "#3a9d6c"
LANE_INCHES = 0.21
PEOPLE_SHOWN = 30


def draw(run: Run, path: Path) -> None:
    """Write a PNG; wider for longer runs."""
    seconds = max(run.ended - run.began, 1.0)
    shown = longest_there(run)
    heights = [len(run.lanes) * LANE_INCHES, len(shown) * LANE_INCHES * 0.72, 1.3]
    width = min(60.0, max(12.0, 3 + seconds / 12))
    with mpl.rc_context({"font.size": 9, "font.family": "DejaVu Sans", "axes.edgecolor": GRID, "text.color": INK}):
        figure, (faults, away, flow) = pyplot.subplots(
            3, 1, figsize=(width, sum(heights) + 2.2), sharex=True, height_ratios=heights, layout="constrained"
        )
        figure.get_layout_engine().set(h_pad=0.06, hspace=0.03)
        figure.suptitle(_title(run), x=0.01, ha="left", fontsize=12, fontweight="bold")
        _draw_faults(faults, run)
        _draw_people(away, run, shown)
        _draw_flow(flow, run, seconds)
        flow.set_xlim(0, seconds)
        flow.set_xlabel("seconds", color=MUTED)
        figure.savefig(path, dpi=110, facecolor=PAPER)
        pyplot.close(figure)


def _title(run: Run) -> str:
    broken = [f"{count} {kind.replace('_', ' ')}" for kind, count in run.verdict.counts.items() if count]
    judgement = ", ".join(broken) if broken else "nothing lost, doubled, or told without need"
    return f"{len(run.happened)} faults, seed {run.seed}: {judgement}"


def longest_there(run: Run) -> list[str]:
    """The subscribers that were connected for longest, by kind."""
    lives = _lives(run)
    longest = sorted(lives, key=lambda who: lives[who][0] - lives[who][1])
    return sorted(longest[:PEOPLE_SHOWN], key=_by_kind)


def _lives(run: Run) -> dict[str, tuple[float, float]]:
    """When each subscriber came, and when it left, or the run ended."""
    came: dict[str, float] = {}
    left: dict[str, float] = {}
    for line in run.lines:
        came.setdefault(line["who"], line["at"])
        if line["kind"] == "left":
            left[line["who"]] = line["at"]
    return {who: (at, left.get(who, run.ended)) for who, at in came.items()}


def _by_kind(who: str) -> tuple[str, int]:
    kind, _, number = who.rpartition(" ")
    return kind, int(number)


def _draw_faults(axes: Axes, run: Run) -> None:
    _lanes(axes, list(run.lanes), "what suffers")
    for each in run.happened:
        lane = run.lanes.index(each.fault.target)
        color, _ = FAULTS[each.fault.kind]
        length = max(each.ended - each.began, 0.25)
        axes.barh(lane, length, left=each.began - run.began, height=0.62, color=color, zorder=3)
    used = [kind for kind in FAULTS if any(each.fault.kind == kind for each in run.happened)]
    patches = [Patch(color=FAULTS[kind][0], label=FAULTS[kind][1]) for kind in used]
    _legend(axes, patches)


def _draw_people(axes: Axes, run: Run, people: list[str]) -> None:
    _lanes(axes, people, "subscribers")
    lane = {who: number for number, who in enumerate(people)}
    for who, absences in spans(run.lines, run.ended).items():
        for begun, ended, reason in absences if who in lane else ():
            axes.barh(lane[who], ended - begun, left=begun - run.began, height=0.62, color=AWAY, zorder=3)
            if reason in ("break", "4010"):
                axes.plot(begun - run.began, lane[who], "|", color=BREAK, markersize=8, markeredgewidth=2, zorder=5)
    for line in run.lines:
        if line["who"] not in lane:
            continue
        if line["kind"] == "recovered" and not line["ok"]:
            axes.plot(line["at"] - run.began, lane[line["who"]], "v", color=GAP, markersize=4, zorder=6)
    _draw_lives(axes, run, lane)
    _legend(
        axes,
        [
            Line2D([], [], color=GRID, linewidth=4, label="following"),
            Patch(color=AWAY, label="without a connection"),
            Line2D([], [], color=BREAK, marker="|", linestyle="", markeredgewidth=2, label="closed by a break"),
            Line2D([], [], color=GAP, marker="v", linestyle="", markersize=5, label="told of a gap"),
        ],
    )


def _draw_lives(axes: Axes, run: Run, lane: dict[str, int]) -> None:
    lives = _lives(run)
    for who, number in lane.items():
        came, left = lives[who]
        axes.barh(number, left - came, left=came - run.began, height=0.14, color=GRID, zorder=2)


def _draw_flow(axes: Axes, run: Run, seconds: float) -> None:
    step = max(1.0, round(seconds / 400))
    answered = Counter(int((line["at"] - run.began) / step) for line in run.pushes if line["position"])
    handed = Counter(int((line["at"] - run.began) / step) for line in run.lines if line["kind"] == "got")
    bins = range(int(seconds / step) + 1)
    times = [each * step for each in bins]
    axes.fill_between(times, [answered[n] / step for n in bins], step="post", color=PUSHED, alpha=0.35, linewidth=0)
    axes.step(times, [answered[n] / step for n in bins], where="post", color=PUSHED, linewidth=1)
    axes.set_ylabel("pushes\nanswered /s", color=PUSHED)
    axes.set_ylim(bottom=0)
    events = axes.twinx()
    events.step(times, [handed[n] / step for n in bins], where="post", color=HANDED, linewidth=1)
    events.set_ylabel("events\nhanded on /s", color=HANDED)
    events.set_ylim(bottom=0)
    for each in (axes, events):
        each.spines[["top", "left", "right"]].set_visible(False)
        each.tick_params(colors=MUTED, length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.6)


def _lanes(axes: Axes, names: list[str], title: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_title(title, loc="left", fontsize=9, color=MUTED)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.tick_params(axis="y", colors=INK, length=0, labelsize=8)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _legend(axes: Axes, handles: list[Patch | Line2D]) -> None:
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6, frameon=False, fontsize=8,
        handlelength=1.2, borderaxespad=0.2,
    )  # fmt: skip
