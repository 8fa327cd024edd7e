"""``stork up``."""

import os
from pathlib import Path

import click

from stork_node.cli.stopping import end_when_asked


@click.command()
@click.option("--config", "folder", default=".crossbar", show_default=True, type=click.Path(path_type=Path))
def up(folder: Path) -> int:
    """
    Run the node and its publish server as one unit, and say where the page is and how to push.

    The folder has config.json (the node and every setting), app.py (your application) and web/ (the page); it is only
    read. A wrong configuration, a broken app.py or a port in use is said at once, and nothing is started.

    \b
    Examples:
      stork up
      STORK_TICKET=… CROSSBAR_BACKEND_SECRET=… stork up --config /etc/stork
      STORK_PUBLISH_SERVER=stork-1 stork up        another replica, which joins the publish server on stork-1

    \b
    Environment:
      STORK_TICKET             what the shipped app.py lets browsers in by; unset: made up at each start (trial only)
      CROSSBAR_BACKEND_SECRET  lets backends join by WAMP-CRA as "backend"; unset: none can
      STORK_PUBLISH_SERVER     host of the publish server; where that is another host, none is started here
      STORK_BUS_SECRET         encrypts the bus; the same for all nodes and pushers
      STORK_DRAIN_WAIT_S       on SIGTERM: seconds until the balancer has seen that /ready fails (0)
      STORK_DRAIN_SPREAD_S     … and seconds in which connections are closed, evenly (0)
      STORK_LOG                text, or json: one object a line
      STORK_LOG_LEVEL          debug (with a line for each join), info, warn, error, critical

    Ctrl-C or SIGTERM drains the node and ends everything; a second one kills. Ends with status 0 when stopped so, 1 if
    the node failed, 2 if something is wrong before the start.
    """
    end_when_asked()
    from stork_node.launcher.up import run

    return run(folder, os.environ)
