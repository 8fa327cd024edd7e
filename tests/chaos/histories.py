"""The data of a run, for the checker, and its findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Pushed:
    """
    One push, as its pusher knows it: ``position`` is None where it was never answered ok.

    ``tried_at`` is when it was first sent, ``at`` when it was answered or given up, both in seconds as everything here.
    """

    id: str
    topics: tuple[str, ...]
    position: str | None
    tried_at: float = 0.0
    at: float = 0.0
    pusher: str = "p"
    stored: bool = True


@dataclass(frozen=True)
class Start:
    """The history's first position."""

    position: str
    at: float = 0.0


@dataclass(frozen=True)
class Got:
    """An event was handed on; ``id`` is that of the push, which its data name."""

    id: str
    position: str
    at: float = 0.0


@dataclass(frozen=True)
class Announced:
    """The subscriber was told: ``ok`` or not, and the position. ``last_sign`` is when its connection was last alive."""

    ok: bool
    position: str | None
    at: float = 0.0
    last_sign: float | None = None


@dataclass(frozen=True)
class Left:
    """The subscriber gave up the topic."""

    at: float = 0.0


Entry = Start | Got | Announced | Left
Histories = Mapping[tuple[str, str], Sequence[Entry]]
"""For each subscriber and topic, what it saw, in order."""


@dataclass(frozen=True)
class Replaced:
    """A log was replaced at ``at`` by a copy that was taken at ``copied_at``."""

    copied_at: float
    at: float


@dataclass
class Verdict:
    """How often each promise was broken, with up to 20 sentences that say where; and what was seen in all."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BROKEN, 0))
    findings: list[str] = field(default_factory=list)
    pushes: int = 0
    delivered: int = 0
    announced: int = 0
    recovered: int = 0
    commands: int = 0
    ended: int = 0
    """Sessions that a command has ended."""

    @property
    def clean(self) -> bool:
        return not any(self.counts.values())

    def found(self, kind: str, sentence: str) -> None:
        self.counts[kind] += 1
        if sum(1 for each in self.findings if each.startswith(kind)) < 20:
            self.findings.append(f"{kind}: {sentence}")


BROKEN = (
    "missing",
    "unannounced",
    "twice",
    "out_of_order",
    "wrong",
    "needless",
    "disobeyed",
    "ended_again",
    "wrong_table",
)


def summary(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON values."""
    return {
        "clean": verdict.clean,
        **verdict.counts,
        "pushes": verdict.pushes,
        "delivered": verdict.delivered,
        "announced": verdict.announced,
        "recovered": verdict.recovered,
        "commands": verdict.commands,
        "ended": verdict.ended,
        "findings": verdict.findings,
    }
