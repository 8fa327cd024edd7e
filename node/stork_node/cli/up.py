"""``stork up``."""

import os
from pathlib import Path

import click

from stork_node.cli.stopping import end_when_asked


@click.command()
@click.option("--config", "folder", default=".crossbar", show_default=True, type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(1, 65535), help="The port for browsers. [env: STORK_PORT; default: 8080]")
@click.option("--watch", is_flag=True, help="Load the application again when one of its Python files has changed.")
def up(folder: Path, port: int | None, watch: bool) -> int:
    """
    Run the node and its publish server as one unit. Print the address of the page, and a command that pushes.

    The folder has config.json (the node and every setting), app.py (your application) and web/ (the page). It is only
    read. If the configuration is wrong, app.py is broken or a port is in use, the command says so and starts nothing.

    \b
    Examples:
      stork up
      stork up --port 9000
      stork up --watch                             while you write app.py; browsers stay connected
      STORK_TICKET=… CROSSBAR_BACKEND_SECRET=… stork up --config /etc/stork
      STORK_PUBLISH_SERVER=stork-1 stork up        another replica, which joins the publish server on stork-1

    \b
    Environment:
      STORK_TICKET             the ticket that the shipped app.py accepts; not set: a new one at each start (trial only)
      CROSSBAR_BACKEND_SECRET  secret with which backends join as "backend" by WAMP-CRA; not set: none can join
      STORK_PUBLISH_SERVER     host of the publish server; if it is another host, no publish server is started here
      STORK_PORT               the port for browsers (8080); STORK_OPERATOR_PORT: the one for health and metrics (8081)
      STORK_BIND               address of the publish server's ports and the operator's port (127.0.0.1)
      STORK_BUS_SECRET         encrypts the bus; all nodes and pushers need the same one
      STORK_DRAIN_WAIT_S       seconds after SIGTERM in which /ready fails and clients are still served (0)
      STORK_DRAIN_SPREAD_S     seconds over which the connections are closed then, evenly (0)
      STORK_LOG                text, or json: one object a line
      STORK_LOG_LEVEL          debug (with a line for each join), info, warn, error, critical

    Ctrl-C or SIGTERM drains the node and ends all processes; a second one kills them. Exit status: 0 stopped as asked,
    1 the node failed, 2 wrong usage or configuration.
    """
    end_when_asked()
    from stork_node.launcher.up import run

    return run(folder, os.environ | ({} if port is None else {"STORK_PORT": str(port)}), watch=watch)
