"""``stork online``."""

import dataclasses
from typing import Any

import click

from stork_node.cli.json_values import echo_json
from stork_node.cli.session_options import session_options, session_target


@click.command()
@click.argument("topic")
@click.option("--count", is_flag=True, help="Do not name the users.")
@session_options
def online(topic: str, count: bool, **joining: Any) -> None:
    """
    Print who is online in TOPIC, on all nodes, as JSON.

    The feed of TOPIC needs presence. A ticket needs the right to subscribe to TOPIC.

    \b
    Examples:
      stork online v1.room.lobby
      stork online --backend --count v1.room.lobby

    \b
    Environment:
      STORK_TICKET             the ticket, if there is no --ticket
      CROSSBAR_BACKEND_SECRET  if there is no ticket: joins as "backend"
    """
    where = session_target(**joining)
    from stork_node.clients.caller import Caller
    from stork_node.protocol.uris import ONLINE

    with Caller(where.url, realm=where.realm, **dataclasses.asdict(where.credentials)) as caller:
        echo_json(caller.call(ONLINE, topic, users=not count))
