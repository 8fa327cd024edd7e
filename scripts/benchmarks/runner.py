"""Runs cases: the peers by turns, round after round, each time started anew."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import Case, Tools
from benchmarks.errors import MeasurementFailed
from benchmarks.peers import Peer
from benchmarks.results import CaseResult, FigureResult, Machine, PeerResult
from stork_node.errors import StorkError


@dataclass(frozen=True)
class Run:
    """
    What all cases have in common.

    Attributes:
        peers: those that are asked, by name; each case only asks those that it is for.
        versions: theirs.
        rounds: how often each is asked.
        machine: this one.
        tools: the load client.
        report: told before each measurement what is measured.
    """

    peers: Mapping[str, type[Peer]]
    versions: Mapping[str, str]
    rounds: int
    machine: Machine
    tools: Tools
    report: Callable[[str], None]

    def asked(self, case: Case) -> list[str]:
        return [name for name in self.peers if name in case.peers]

    def measurements(self, cases: Sequence[Case]) -> int:
        """How many times ``report`` is called for these cases."""
        return self.rounds * sum(len(self.asked(case)) for case in cases)

    def measure(self, cases: Sequence[Case]) -> dict[str, CaseResult]:
        """Measure cases for which a server is started once in each round; one case, for figures to show."""
        results = {case.name: self._empty(case) for case in cases if self.asked(case)}
        names = [name for name in self.peers if any(name in case.peers for case in cases)]
        for name in turns(names, self.rounds):
            self._ask(name, [case for case in cases if name in case.peers], results)
        return results

    def _empty(self, case: Case) -> CaseResult:
        return CaseResult(
            title=case.title,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            rounds=self.rounds,
            machine=self.machine,
            figures=[FigureResult(**vars(figure)) for figure in case.figures],
            peers={name: PeerResult(self.peers[name].label, self.versions[name]) for name in self.asked(case)},
        )

    def _ask(self, name: str, cases: Sequence[Case], results: dict[str, CaseResult]) -> None:
        peer = self.peers[name]
        unasked = list(cases)
        with tempfile.TemporaryDirectory(prefix="stork-bench-") as folder:
            self.report(f"{cases[0].title}: {peer.label}")
            try:
                with peer(Path(folder)) as running:
                    while unasked:
                        if unasked[0] is not cases[0]:
                            self.report(f"{unasked[0].title}: {peer.label}")
                        case = unasked.pop(0)
                        _measure(case, running, results[case.name].peers[name], self.tools)
            except MeasurementFailed as error:
                for case in unasked:
                    results[case.name].peers[name].failure = str(error)


def turns(peers: Sequence[str], rounds: int) -> Iterator[str]:
    """The order of the peers: all of them in each round, and each round begins with another one."""
    for number in range(rounds):
        first = number % len(peers)
        yield from (*peers[first:], *peers[:first])


def _measure(case: Case, peer: Peer, result: PeerResult, tools: Tools) -> None:
    try:
        sample = case.measure(peer, tools)
    except (MeasurementFailed, StorkError) as error:
        result.failure = str(error)
        return
    for name, value in sample.values.items():
        result.values.setdefault(name, []).append(value)
    if sample.remark:
        result.remarks.append(sample.remark)
