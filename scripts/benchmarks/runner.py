"""Runs cases: the peers by turns, round after round, each time started anew."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import Case, Tools
from benchmarks.errors import MeasurementFailed
from benchmarks.peers import Peer
from benchmarks.results import CaseResult, FigureResult, Machine, PeerResult

Report = Callable[[str], None]


def turns(peers: Sequence[str], rounds: int) -> Iterator[str]:
    """Who is measured when: in each round all of them, and each round begins with another one."""
    for number in range(rounds):
        first = number % len(peers)
        yield from (*peers[first:], *peers[:first])


def run_case(
    case: Case, peers: dict[str, type[Peer]], versions: dict[str, str], rounds: int, machine: Machine, tools: Tools, report: Report
) -> CaseResult:
    """
    Measure one case.

    Args:
        case: what is asked.
        peers: those that are asked, by name.
        versions: theirs.
        rounds: how often each is asked.
        machine: this one.
        tools: the load client.
        report: told before each measurement what is measured.
    """
    result = CaseResult(
        title=case.title,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rounds=rounds,
        machine=machine,
        figures=[FigureResult(**vars(figure)) for figure in case.figures],
        peers={name: PeerResult(peer.label, versions[name]) for name, peer in peers.items()},
    )
    for name in turns(list(peers), rounds):
        report(f"{case.title}: {peers[name].label}")
        _measure(case, peers[name], result.peers[name], tools)
    return result


def _measure(case: Case, peer: type[Peer], result: PeerResult, tools: Tools) -> None:
    with tempfile.TemporaryDirectory(prefix="stork-bench-") as folder:
        try:
            with peer(Path(folder)) as running:
                sample = case.measure(running, tools)
        except MeasurementFailed as error:
            result.failure = str(error)
            return
    for name, value in sample.values.items():
        result.values.setdefault(name, []).append(value)
    if sample.remark:
        result.remarks.append(sample.remark)
