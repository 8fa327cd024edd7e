"""The command line of ``scripts/bench``."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.cases import FULL, QUICK, Case, Tools
from benchmarks.errors import BenchError
from benchmarks.machine import describe_machine, raise_open_files, require_open_files
from benchmarks.peers import PEERS, Peer
from benchmarks.plot import draw
from benchmarks.results import Results, load_results, save_results
from benchmarks.runner import run_case
from benchmarks.table import to_markdown
from benchmarks.tools import ROOT, Package, compile_c, install_packages

_QUICK_PEERS = "stork,nats,nchan"
_FULL_PEERS = ",".join(PEERS)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--quick", is_flag=True, help=f"Small cases, one round, {_QUICK_PEERS}: shows that everything runs, not how fast.")
@click.option("--case", "names", multiple=True, metavar="NAME", help="Only this case; may be given several times.")
@click.option("--peers", metavar="A,B", help=f"Only these servers. [default: {_FULL_PEERS}]")
@click.option("--rounds", type=click.IntRange(1), metavar="N", help="How often each is measured. [default: 5]")
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
    output = output or ROOT / "build" / "bench" / ("quick" if quick else "")
    try:
        failed = _run(cases, chosen, rounds or (1 if quick else 5), output)
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)
    sys.exit(1 if failed else 0)


def _choose(cases: "tuple[Case, ...]", names: tuple[str, ...]) -> list[Case]:
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


def _run(cases: list[Case], peers: dict[str, type[Peer]], rounds: int, output: Path) -> bool:
    """Measure and write; True where a peer failed."""
    console = Console(stderr=True)
    limit = raise_open_files()
    for case in cases:
        require_open_files(getattr(case, "subscribers", 0), limit)
    output.mkdir(parents=True, exist_ok=True)
    results = load_results(output / "results.json")
    asked = {case.name: {name: peer for name, peer in peers.items() if name in case.peers} for case in cases}
    wanted = {name: peer for name, peer in peers.items() if any(name in it for it in asked.values())}
    with console.status("preparing the servers and the load client"):
        install_packages([Package("gcc", "gcc"), *(package for peer in wanted.values() for package in peer.packages)])
        for peer in wanted.values():
            peer.install()
        versions = {name: peer.version() for name, peer in wanted.items()}
        tools = Tools(compile_c("load"))
    machine = describe_machine()
    with _progress(console) as progress:
        bar = progress.add_task("", total=sum(len(it) for it in asked.values()) * rounds)
        begun = False

        def report(what: str) -> None:
            nonlocal begun
            progress.update(bar, description=what, advance=1 if begun else 0)
            begun = True

        for case in cases:
            if asked[case.name]:
                results.cases[case.name] = run_case(case, asked[case.name], versions, rounds, machine, tools, report)
                _write(results, output)
        progress.update(bar, description="done", advance=1)
    click.echo((output / "table.md").read_text(), nl=False)
    click.echo(f"\n{output}/table.md, plot.png, results.json", err=True)
    return any(peer.failure for case in cases for peer in results.cases[case.name].peers.values())


def _write(results: Results, output: Path) -> None:
    order = [case.name for case in FULL]
    results.cases = dict(sorted(results.cases.items(), key=lambda it: order.index(it[0]) if it[0] in order else len(order)))
    save_results(output / "results.json", results)
    (output / "table.md").write_text(to_markdown(results))
    draw(results, output / "plot.png")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


if __name__ == "__main__":
    main(prog_name="bench")
