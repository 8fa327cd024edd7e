"""The faults of a run and their times: a list from a seed, always the same for the same seed."""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

SERVER, HAPROXY, LOG = "publish server", "HAProxy", "log"
NODES = ("node 1", "node 2")
APPLICATIONS = ("application 1", "application 2")
BUSES = ("bus 1", "bus 2")  # between the publish server and a node: SUB and replay
LINKS = ("link 1", "link 2")  # between HAProxy and a node
LANES = (SERVER, LOG, *BUSES, *NODES, *APPLICATIONS, *LINKS, HAPROXY)

_PROCESSES = (SERVER, *NODES, *APPLICATIONS, HAPROXY)

Kinds = dict[str, tuple[tuple[str, ...], int]]
"""What can go wrong with what, and how often against the others."""

KINDS: Kinds = {
    "kill": (_PROCESSES, 4),  # kill -9; restarted after the fault's seconds (an application restarts by itself)
    "stop": (_PROCESSES, 4),  # SIGSTOP, then SIGCONT
    "reset": ((*BUSES, *LINKS), 4),  # cut, and both ends are told
    "swallow": ((*BUSES, *LINKS), 4),  # cut, and nobody is told: what is sent waits
    "full": ((LOG,), 2),  # no room on the log's disk
    "replace": ((LOG,), 2),  # the publish server is killed, and starts with an older copy of its log
}

SHORTEST_S, LONGEST_S = 1.0, 15.0


@dataclass(frozen=True)
class Fault:
    """``target`` suffers ``kind`` for ``seconds``; the next one comes ``pause_s`` after that."""

    number: int
    kind: str
    target: str
    seconds: float
    pause_s: float

    def __str__(self) -> str:
        return f"{self.number:>4}  {self.kind:<8} {self.target:<16} {self.seconds:5.1f} s, then {self.pause_s:.1f} s"


def schedule(
    seed: int, faults: int, *, longest_s: float = LONGEST_S, only: Collection[str] = (), kinds: Kinds = KINDS
) -> list[Fault]:
    """
    The faults of a seed.

    Args:
        longest_s: no fault lasts longer (seconds); short ones are more frequent.
        only: these kinds; all where there is none. Each comes up once in every so many faults, however few there are.
        kinds: what can go wrong with what, and how often against the others.
    """
    chosen = {kind: kinds[kind] for kind in only} if only else kinds
    return list(_faults(random.Random(seed), faults, longest_s, chosen))


def _faults(chance: random.Random, faults: int, longest_s: float, kinds: Kinds) -> Iterator[Fault]:
    bag: list[str] = []
    targets: dict[str, list[str]] = {}
    for number in range(1, faults + 1):
        if not bag:
            bag = [kind for kind, (_, often) in kinds.items() for _ in range(often)]
            chance.shuffle(bag)
        kind = bag.pop()
        if not targets.get(kind):
            targets[kind] = list(kinds[kind][0])
            chance.shuffle(targets[kind])
        target, seconds = targets[kind].pop(), chance.triangular(SHORTEST_S, longest_s, SHORTEST_S)
        if kind == "kill" and target in APPLICATIONS:
            seconds = SHORTEST_S  # its node starts it again when it likes
        yield Fault(number, kind, target, round(seconds, 1), round(chance.uniform(0.2, 3.0), 1))
