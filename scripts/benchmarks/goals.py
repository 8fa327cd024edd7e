"""The ratios that this project set itself: of our figure to a peer's, in one run."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.summary import Summary


@dataclass(frozen=True)
class Goal:
    """Our figure is to be at least, or at most, so many times that of ``peer``."""

    case: str
    figure: str
    peer: str
    bound: float


@dataclass(frozen=True)
class Reached:
    """A goal beside what was measured."""

    title: str
    peer: str
    ratio: float
    bound: float
    more_is_better: bool

    @property
    def is_met(self) -> bool:
        return self.ratio >= self.bound if self.more_is_better else self.ratio <= self.bound


GOALS = (
    Goal("burst-1000", "rate", "nats", 1.5),
    Goal("burst-100", "rate", "nchan", 10),
    Goal("burst-100", "rate", "crossbar", 20),
    Goal("paced", "p99", "bare", 1.3),
    Goal("idle", "memory", "crossbar", 1),
    Goal("joins", "rate", "crossbar", 1.5),
    Goal("http", "rate", "centrifugo", 1),
)


def reached(results: Results, ours: str) -> Iterator[Reached]:
    """Each goal for which both were measured."""
    for goal in GOALS:
        case = results.cases.get(goal.case)
        if not case or ours not in case.peers or goal.peer not in case.peers:
            continue
        [figure] = [it for it in case.figures if it.name == goal.figure]
        mine, theirs = (case.peers[name].values.get(goal.figure) for name in (ours, goal.peer))
        if mine and theirs:
            ratio = Summary.of(mine).median / Summary.of(theirs).median
            yield Reached(figure.title, case.peers[goal.peer].label, ratio, goal.bound, figure.more_is_better)
