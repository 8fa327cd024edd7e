"""A case: one question to a server, answered in figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.load_client import Counted
from benchmarks.peers import Peer

SERVERS = ("stork", "crossbar", "nchan", "nats", "mosquitto", "centrifugo", "stork-pusher", "sockudo")
LOOPS = ("bare", "bare-joined")


@dataclass(frozen=True)
class Figure:
    """
    One number that a case gives.

    Attributes:
        name: in the results.
        title: in the table and in the plot.
        unit: of the number, such as "events/s".
        more_is_better: which way a reader should read it.
        goal: a bound that this project set itself, for cases of its own.
    """

    name: str
    title: str
    unit: str
    more_is_better: bool
    goal: float | None = None


@dataclass(frozen=True)
class Sample:
    """The result of one round: a value for each figure; ``remark`` names problems."""

    values: dict[str, float]
    remark: str = ""


@dataclass(frozen=True)
class Tools:
    """The load client's program."""

    load: Path


class Case(Protocol):
    """
    Attributes:
        name: on the command line and in the results.
        title: what is done, for people.
        figures: what comes out.
        peers: names of the peers that can answer it.
        subscribers: connections at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def figures(self) -> Sequence[Figure]: ...

    @property
    def peers(self) -> Sequence[str]: ...

    @property
    def subscribers(self) -> int: ...

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        """
        Ask a peer that has just started.

        Raises:
            MeasurementFailed: there is no answer.
        """
        ...


def losses(counted: Counted, expected: int) -> str:
    """The losses in words; empty if every subscriber got all events once and in order."""
    wrong = []
    if counted.received != expected:
        wrong.append(f"{counted.received:,} of {expected:,} events arrived")
    if counted.repeated:
        wrong.append(f"{counted.repeated:,} came twice or out of order")
    if counted.ended:
        wrong.append(f"{counted.ended:,} subscribers were cut")
    return ", ".join(wrong)
