"""The command line of ``scripts/bench``."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmarks.cases import FULL, QUICK, Case, Tools
from benchmarks.errors import BenchError
from benchmarks.machine import describe_machine, raise_open_files, require_open_files
from benchmarks.peers import PEERS, Peer
from benchmarks.plot import draw
from benchmarks.results import Results, load_results, save_results
from benchmarks.runner import Run
from benchmarks.table import to_markdown
from benchmarks.tools import COMPILER, ROOT, WRK, compile_c, install_packages

_QUICK_PEERS = "stork,publish-server,redis,redis-sentinels,nats,nchan"
_FULL_PEERS = ",".join(PEERS)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--quick", is_flag=True, help=f"Small cases, one round, {_QUICK_PEERS}: shows that everything runs, not how fast."
)
@click.option("--case", "names", multiple=True, metavar="NAME", help="Only this case; may be given several times.")
@click.option("--peers", metavar="A,B", help=f"Only these servers. [default: {_FULL_PEERS}]")
@click.option("--rounds", type=click.IntRange(1), metavar="N", help="How often each is measured. [default: 3]")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of results.json, table.md and plot.png. [default: build/bench, with --quick build/bench/quick]",
)
@click.option("--list", "only_list", is_flag=True, help="Name the cases and the servers, and measure nothing.")
def main(
    quick: bool, names: tuple[str, ...], peers: str | None, rounds: int | None, output: Path | None, only_list: bool
) -> None:
    """
    Measure Stork node beside other servers, side by side and by turns, on this machine.

    Results of cases that are not measured this time are kept in results.json: the table and the plot show all of them.
    Servers that are missing are installed: Debian's packages, and Centrifugo by Go.
    """
    cases = _choose(QUICK if quick else FULL, names)
    chosen = _choose_peers(peers or (_QUICK_PEERS if quick else _FULL_PEERS))
    if only_list:
        for case in cases:
            click.echo(f"{case.name:<14} {case.title}  ({', '.join(case.peers)})")
        return
    signal.signal(signal.SIGTERM, _stop)
    output = output or ROOT / "build" / "bench" / ("quick" if quick else "")
    try:
        failed = _run(cases, chosen, rounds or (1 if quick else 3), output, one_start=quick)
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)
    sys.exit(1 if failed else 0)


def _stop(*_: object) -> NoReturn:
    """Leave as from an error: servers that run are stopped."""
    sys.exit(1)


def _choose(cases: Sequence[Case], names: tuple[str, ...]) -> list[Case]:
    known = [case.name for case in cases]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"there is no case {name!r}; there are {', '.join(known)}", param_hint="--case")
    return [case for case in cases if not names or case.name in names]


def _choose_peers(names: str) -> dict[str, type[Peer]]:
    chosen = names.split(",")
    for name in chosen:
        if name not in PEERS:
            raise click.BadParameter(f"there is no peer {name!r}; there are {', '.join(PEERS)}", param_hint="--peers")
    return {name: peer for name, peer in PEERS.items() if name in chosen}


def _run(cases: list[Case], peers: dict[str, type[Peer]], rounds: int, output: Path, *, one_start: bool) -> bool:
    """Measure and write; True where a peer failed. ``one_start``: a server is started once for all cases of a round."""
    console = Console(stderr=True)
    limit = raise_open_files()
    for case in cases:
        require_open_files(case.subscribers, limit)
    output.mkdir(parents=True, exist_ok=True)
    results = load_results(output / "results.json")
    wanted = {name: peer for name, peer in peers.items() if any(name in case.peers for case in cases)}
    with console.status("preparing the servers and the load client"):
        tools, versions = _prepare(wanted)
    with _progress(console) as progress:
        bar = progress.add_task("", total=None)
        report = _Reporter(progress, bar)
        run = Run(wanted, versions, rounds, describe_machine(), tools, report)
        progress.update(bar, total=run.measurements(cases))
        for group in [cases] if one_start else [[case] for case in cases]:
            results.cases |= run.measure(group)
            _write(results, output)
        report("done")
    click.echo((output / "table.md").read_text(), nl=False)
    click.echo(f"\n{output}/table.md, plot.png, results.json", err=True)
    return any(
        peer.failure for case in cases if case.name in results.cases for peer in results.cases[case.name].peers.values()
    )


def _prepare(peers: dict[str, type[Peer]]) -> tuple[Tools, dict[str, str]]:
    """Install and compile what is missing; returns the versions too."""
    install_packages([*COMPILER, WRK, *(package for peer in peers.values() for package in peer.packages)])
    for peer in peers.values():
        peer.install()
    return Tools(compile_c("load")), {name: peer.version() for name, peer in peers.items()}


class _Reporter:
    """Moves the bar on when the next measurement begins."""

    def __init__(self, progress: Progress, bar: TaskID) -> None:
        self._progress, self._bar, self._begun = progress, bar, False

    def __call__(self, what: str) -> None:
        self._progress.update(self._bar, description=what, advance=int(self._begun))
        self._begun = True


def _write(results: Results, output: Path) -> None:
    order = [case.name for case in FULL]
    results.cases = dict(
        sorted(results.cases.items(), key=lambda it: order.index(it[0]) if it[0] in order else len(order))
    )
    save_results(output / "results.json", results)
    (output / "table.md").write_text(to_markdown(results))
    draw(results, output / "plot.png")


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


if __name__ == "__main__":
    main(prog_name="bench")
