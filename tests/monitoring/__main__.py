"""``scripts/dashboard``."""

import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.chaos.cluster import Cluster
from tests.gateway import ROOT
from tests.monitoring import scene
from tests.monitoring.dashboard import panels
from tests.monitoring.picture import draw
from tests.monitoring.prometheus import Prometheus

_APP = Path(__file__).parent / "app.py"
_RATE_INTERVAL = "8s"


@click.command()
@click.option("--seconds", default=240, show_default=True, type=click.IntRange(min=60), help="Length of the run.")
@click.option(
    "--output",
    default=ROOT / "build" / "dashboard.png",
    show_default="build/dashboard.png",
    type=click.Path(path_type=Path, dir_okay=False),
)
def main(seconds: int, output: Path) -> None:
    """Draw what the Grafana dashboard shows of a real run: two nodes, 240 browsers, and some accidents."""
    console = Console(highlight=False)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stork-dashboard-") as temporary:
        folder = Path(temporary)
        console.print("starting a publish server, two nodes, HAProxy and Prometheus")
        with (
            Cluster(folder, app=_APP.read_text()) as cluster,
            Prometheus(folder / "prometheus", cluster.operators) as prometheus,
        ):
            began = time.time()
            columns = BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}")
            with Progress(*columns, console=console) as progress:
                bar = progress.add_task("", total=seconds)
                scene.play(
                    cluster,
                    seconds,
                    lambda passed, doing: progress.update(bar, completed=passed, description=doing),
                    lambda happenings: draw(panels(_RATE_INTERVAL), prometheus, began, time.time(), happenings, output),
                )
                progress.update(bar, completed=seconds, description="")
    console.print(str(output))


if __name__ == "__main__":
    main()
