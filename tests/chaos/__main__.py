"""``scripts/chaos``."""

import random
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.chaos import report, timeline
from tests.chaos.cluster import Cluster
from tests.chaos.engine import faults as engine_faults
from tests.chaos.engine.cluster import EngineCluster
from tests.chaos.run import Run, run
from tests.chaos.schedule import KINDS, LANES, LONGEST_S, Fault, schedule


@click.command()
@click.option("--faults", "number", default=100, show_default=True, help="How many faults, one after the other.")
@click.option("--seed", type=int, help="Of the faults and all other choices.  [default: a new one, printed]")
@click.option("--engine", type=click.Choice(["redis"]), help="The log on Redis with Sentinels, on three machines.")
@click.option("--rate", default=30.0, show_default=True, help="Pushes a second.")
@click.option("--longest", default=LONGEST_S, show_default=True, help="No fault lasts longer (s).")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(KINDS | engine_faults.KINDS)),
    help="Only such faults; may be repeated.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the report.  [default: a new one in /tmp]")
@click.option("--list", "only_list", is_flag=True, help="Print the faults, and do none.")
def main(
    number: int,
    seed: int | None,
    engine: str | None,
    rate: float,
    longest: float,
    only: tuple[str, ...],
    output: Path | None,
    only_list: bool,
) -> None:
    """Break things on purpose, and see whether a push gets lost."""
    console = Console(highlight=False)
    seed = random.randrange(1_000_000) if seed is None else seed
    kinds = engine_faults.KINDS if engine else KINDS
    if unknown := set(only) - set(kinds):
        raise click.UsageError(f"there is no such fault here: {min(unknown)}")
    faults = schedule(seed, number, longest_s=longest, only=only, kinds=kinds)
    console.print(f"{number} faults of seed {seed}")
    if only_list or number <= 30:
        for fault in faults:
            console.print(str(fault))
    if only_list:
        return
    output = output or Path(tempfile.mkdtemp(prefix="stork-chaos-"))
    output.mkdir(parents=True, exist_ok=True)
    outcome = _run(console, output, faults, seed, rate, on_engine=engine is not None)
    report.write(outcome, output)
    timeline.draw(outcome, output / "timeline.png")
    console.print(report.as_text(outcome), end="")
    console.print(f"{output}/report.txt, report.json, timeline.png")
    sys.exit(0 if outcome.verdict.clean and outcome.settled else 1)


def _run(console: Console, output: Path, faults: list[Fault], seed: int, rate: float, *, on_engine: bool) -> Run:
    columns = [
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    ]
    with tempfile.TemporaryDirectory(prefix="stork-chaos-") as folder, Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(faults))

        def told(fault: Fault | None, doing: str) -> None:
            begun = len(faults) if fault is None and doing != "starting" else fault.number - 1 if fault else 0
            progress.update(bar, completed=begun, description=doing.strip())

        system = EngineCluster if on_engine else Cluster
        lanes = engine_faults.LANES if on_engine else LANES
        outcome = run(Path(folder), faults, seed, rate=rate, system=system, lanes=lanes, progress=told)
        for log in Path(folder).glob("*.log"):
            (output / log.name).write_bytes(log.read_bytes())
    return outcome


if __name__ == "__main__":
    main()
