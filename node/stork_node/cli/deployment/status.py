"""``stork status``."""

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from stork_node.cli.json_values import echo_json

if TYPE_CHECKING:
    from stork_node.protocol.commands.leases import Nodes

_PAUSE_S = 1.0
_CLEAR = "\x1b[H\x1b[J"
_RATES = {"accepted": "pushes", "commands": "commands", "refused": "refused", "storage_failed": "not stored"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--once", is_flag=True, help="Print the table once, also on a terminal.")
@click.option("--server", metavar="ENDPOINT", help="The publish server's replay port. [default: tcp://127.0.0.1:5558]")
def status(as_json: bool, once: bool, server: str | None) -> None:
    """
    Print the nodes of a deployment: versions, positions, sessions, and what is wrong.

    On a terminal the table is renewed each second, with rates, until Ctrl-C.

    \b
    Examples:
      stork status
      stork status --json | jq .nodes

    \b
    Environment:
      STORK_PUBLISH_SERVER  host of the publish server, if there is no --server
      STORK_BUS_SECRET      the secret of an encrypted bus
    """
    from stork_node.clients.node_asker import NodeAsker
    from stork_node.transport.endpoints import Port, publish_server_endpoint

    where = server or publish_server_endpoint(Port.REPLAY, os.environ).partition(",")[0]
    lives = sys.stdout.isatty() and not once and not as_json
    with NodeAsker(where, os.environ.get("STORK_BUS_SECRET", "")) as asker:
        nodes = asker.ask()
        if as_json:
            echo_json(as_object(nodes))
            return
        click.echo("\n".join(lines(nodes, None, 0.0)))
        while lives:
            before, asked_at = nodes, time.monotonic()
            time.sleep(_PAUSE_S)
            nodes = asker.ask()
            table = lines(nodes, before, time.monotonic() - asked_at)
            click.echo(_CLEAR + "\n".join(table))


def as_object(nodes: "Nodes") -> dict[str, Any]:
    """The table for ``--json``."""
    return {
        "position": f"{nodes.epoch}:{nodes.tail}",
        "nodes": [
            {
                "node": each.node,
                "incarnation": each.incarnation,
                "version": each.version,
                "position": f"{nodes.epoch}:{each.position}",
                "behind": nodes.tail - each.position,
                "sessions": each.sessions,
                "silent_s": each.silent_s,
                "state": each.state,
            }
            for each in nodes.nodes
        ],
        "old": nodes.old,
        "counters": nodes.counters,
    }


def lines(nodes: "Nodes", before: "Nodes | None", pause_s: float) -> list[str]:
    """
    The table for people.

    Args:
        before: an earlier answer, from ``pause_s`` ago, for rates.
    """
    rows = [("NODE", "STATE", "VERSION", "BEHIND", "SESSIONS")]
    rows += [
        (each.node, each.state, each.version or "-", f"{nodes.tail - each.position:,}", f"{each.sessions:,}")
        for each in nodes.nodes
    ]
    rows += [(f"old-{number}", "old", "-", "-", "-") for number in range(1, nodes.old + 1)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    head = [f"position {nodes.epoch}:{nodes.tail}, nodes: {len(nodes.nodes) + nodes.old}"]
    if before is not None and pause_s > 0:
        counted = (
            (words, nodes.counters.get(name, 0) - before.counters.get(name, 0)) for name, words in _RATES.items()
        )
        head.append(", ".join(f"{words}: {number / pause_s:,.0f}/s" for words, number in counted))
    return [*head, *trouble(nodes), "", *table]


def trouble(nodes: "Nodes") -> list[str]:
    """What is wrong, in a sentence each."""
    found = [
        f"{each.node} has said nothing for {each.silent_s:.0f} s" for each in nodes.nodes if each.state == "silent"
    ]
    twice = sorted({each.name for each in nodes.nodes if each.node != each.name})
    found += [f"several nodes are named {name}: set STORK_NODE_NAME on each" for name in twice]
    if nodes.old:
        found.append(f"nodes of a release that obeys no commands: {nodes.old}")
    if nodes.counters.get("log_trouble"):
        found.append("the log has trouble: see the publish server's log")
    return found
