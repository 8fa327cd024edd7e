"""``stork watch``."""

import asyncio
from typing import Any

import click

from stork_node.cli.session_options import session_options, session_target


@click.command()
@click.argument("topics", nargs=-1, required=True, metavar="TOPIC...")
@click.option("--match", type=click.Choice(["exact", "prefix", "wildcard"]), default="exact", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each event, and nothing else.")
@session_options
def watch(topics: tuple[str, ...], match: str, as_json: bool, **joining: Any) -> int:
    """
    Subscribe to each TOPIC, and print its events until Ctrl-C.

    The command prints each event's position, type, topic and data. If the connection is lost, it says so, and
    reconnects. Then it prints the missed events, or says that events are lost.

    \b
    Examples:
      stork watch v1.test.1 --ticket "$TICKET"
      stork watch v1.orders. --match prefix --backend
      stork watch v1.orders.42 --json --backend | jq .data

    \b
    Environment:
      STORK_TICKET             the ticket, if there is no --ticket
      CROSSBAR_BACKEND_SECRET  if there is no ticket: joins as "backend", which may see everything
    """
    where = session_target(**joining)
    from stork_node.cli.watching import Watching

    try:
        return asyncio.run(Watching(where, topics, match, as_json).run())
    except KeyboardInterrupt:
        return 0
