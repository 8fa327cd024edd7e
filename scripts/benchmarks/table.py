"""The results as Markdown: one table that compares the servers, one of what is asked of Stork node alone."""

from collections.abc import Iterable

from benchmarks.goals import Reached, reached
from benchmarks.peers import PEERS
from benchmarks.results import CaseResult, FigureResult, PeerResult, Results
from benchmarks.summary import Summary, significant

OURS = "stork"
_ALONE = {"stork", "publish-server"}


def to_markdown(results: Results) -> str:
    """The whole document: tables, what was not right, and where it was measured."""
    compared = {name: case for name, case in results.cases.items() if not set(case.peers) <= _ALONE}
    alone = {name: case for name, case in results.cases.items() if set(case.peers) <= _ALONE}
    parts = []
    if compared:
        parts.append(_comparison(list(compared.values())))
    if alone:
        parts.append(_own(list(alone.values())))
    parts += [_ratios(results), _remarks(results), _origin(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _comparison(cases: list[CaseResult]) -> str:
    columns = [(case, figure) for case in cases for figure in case.figures]
    found = {name: peer.label for case in cases for name, peer in case.peers.items()}
    labels = {
        name: found[name] for name in [*filter(found.get, PEERS), *found]
    }  # as the peers stand, others after them
    heads = [f"{figure.title}, {figure.unit}" for _, figure in columns]
    rows = [
        [f"**{label}**" if name == OURS else label, *(_cell(case.peers.get(name), figure) for case, figure in columns)]
        for name, label in labels.items()
    ]
    return _table(["", *heads], rows)


def _own(cases: list[CaseResult]) -> str:
    rows = []
    for case in cases:
        for figure in case.figures:
            [peer] = case.peers.values()
            rows.append([f"{figure.title}, {figure.unit}", _cell(peer, figure), _goal(figure)])
    return _table(["Stork node alone", "measured", "goal"], rows)


def _ratios(results: Results) -> str:
    rows = [
        [
            f"{it.title}, beside {it.peer}",
            f"{significant(it.ratio)} ×",
            f"{_bound(it)} ×",
            "yes" if it.is_met else "**no**",
        ]
        for it in reached(results, OURS)
    ]
    return _table(["Stork node's ratios", "measured", "goal", "reached"], rows) if rows else ""


def _bound(it: Reached) -> str:
    return f"at {'least' if it.more_is_better else 'most'} {it.bound:g}"


def _goal(figure: FigureResult) -> str:
    if figure.goal is None:
        return ""
    return f"at {'least' if figure.more_is_better else 'most'} {significant(figure.goal)}"


def _cell(peer: PeerResult | None, figure: FigureResult) -> str:
    """Median and spread, a star where a remark belongs to it."""
    if peer is None:
        return ""
    values = peer.values.get(figure.name)
    if not values:
        return "failed"
    it = Summary.of(values)
    star = "\\*" if peer.remarks else ""
    if len(values) == 1:
        return significant(it.median) + star
    return f"{significant(it.median)}{star} ({significant(it.least)}–{significant(it.greatest)})"


def _remarks(results: Results) -> str:
    lines = []
    for case in results.cases.values():
        for peer in case.peers.values():
            lines += [f"- \\* {peer.label}, {case.title}: {remark}" for remark in dict.fromkeys(peer.remarks)]
            if peer.failure:
                lines.append(f"- {peer.label}, {case.title}: {peer.failure}")
    return "\n".join(lines)


def _origin(results: Results) -> str:
    cases = results.cases.values()
    versions = dict.fromkeys(
        f"{peer.label} {peer.version}" for case in cases for peer in case.peers.values() if peer.version
    )
    machines = dict.fromkeys(case.machine for case in cases)
    described = [
        f"{it.processor}, {it.cores} cores, {it.memory_gb:g} GB, {it.system}, Python {it.python}" for it in machines
    ]
    rounds = sorted({case.rounds for case in cases})
    days = sorted({case.measured_at[:10] for case in cases})
    shown = "–".join(dict.fromkeys(str(it) for it in (rounds[:1] + rounds[-1:])))
    return (
        f"Medians (least–greatest) of {shown} rounds; events of 190 bytes; the load client is on the same machine. "
        "Bare C loop: one thread, a send() for each event, or (joined) for all that wait: the load client's limit. "
        f"Measured {' and '.join(days)} on {'; '.join(described)}. Versions: {', '.join(versions)}."
    )


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
