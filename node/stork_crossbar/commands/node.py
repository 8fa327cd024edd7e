"""``stork node``."""

import os
import sys
from pathlib import Path

import click

from stork_node.cli.stopping import end_when_asked


@click.command()
@click.option("--config", "folder", default=".crossbar", show_default=True, type=click.Path(path_type=Path))
@click.option("--checked", is_flag=True, hidden=True, help="stork up has checked the folder already.")
def node(folder: Path, checked: bool) -> None:
    """
    Run one node: the router with guard and relay, and the application process.

    The publish server is another process: on this host, or on the host that STORK_PUBLISH_SERVER names. `stork up` runs
    both. The folder with config.json and app.py is only read.

    \b
    Environment:
      STORK_PUBLISH_SERVER     host of the publish server (127.0.0.1)
      CROSSBAR_BACKEND_SECRET  secret with which backends join as "backend" by WAMP-CRA; not set: none can join
      STORK_BUS_SECRET         encrypts the bus; the same as the publish server's
      STORK_DRAIN_WAIT_S       seconds after SIGTERM in which /ready fails and clients are still served (0)
      STORK_DRAIN_SPREAD_S     seconds over which the connections are closed then, evenly (0)
      STORK_LOG                text, or json: one object a line
      STORK_LOG_LEVEL          debug (with a line for each join), info, warn, error, critical

    SIGTERM or Ctrl-C drains the node; a second one ends it at once. Exit status: 0 stopped as asked, 1 the node failed,
    2 wrong usage or configuration.
    """
    end_when_asked()
    from stork_crossbar.processes.launch import run_node
    from stork_node.launcher.check_process import preflight
    from stork_node.launcher.push_commands import PushCommands
    from stork_node.logs.log_lines import LogSettings

    LogSettings.read(os.environ)
    if not checked:
        preflight(folder, os.environ, "node")
    if PushCommands.handed_down(os.environ) is None:
        os.environ |= PushCommands.of_node(sys.argv[0], folder, os.environ).environ
    raise SystemExit(run_node(folder))
