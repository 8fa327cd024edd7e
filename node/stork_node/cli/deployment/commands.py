"""``stork disconnect``, ``unsubscribe``, ``refresh`` and ``forget``."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from stork_node.cli import EXIT_FAILED
from stork_node.cli.json_values import echo_json

if TYPE_CHECKING:
    from stork_node.protocol.commands.results import CommandResult

_TARGETS = {
    "authid": click.option("--authid", metavar="USER", help="All sessions of this user."),
    "session": click.option("--session", type=int, metavar="ID", help="One session."),
    "role": click.option("--role", help="All sessions with this role."),
    "topic": click.option("--topic", help="A topic: version.feed.id."),
    "feed": click.option("--feed", help="All topics of a feed: version.feed."),
}
_COMMON = (
    click.option("--reason", default="", help="Text for the clients, at most 123 bytes."),
    click.option("--id", metavar="KEY", help="Idempotency key: a second command with it is not obeyed again."),
    click.option("--timeout-ms", type=click.IntRange(0, 30_000), default=5_000, show_default=True),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    click.option("--endpoint", metavar="ENDPOINT", help="The publish server's ROUTER. [default: tcp://127.0.0.1:5557]"),
    click.option("--push-key", help="The push key, for an encrypted bus; see stork push-key."),
)
_HELP = """

    The answer says what each node has met. Exit status 1 if a node has not obeyed in time: it obeys before it delivers
    anything later.

    \b
    Examples:
      {example}
      {example} --json

    \b
    Environment:
      STORK_PUBLISH_SERVER  host of the publish server, if there is no --endpoint
      STORK_BUS_SECRET      the secret of an encrypted bus, if there is no --push-key
    """


def _command(kind: str, targets: str, text: str, example: str) -> click.Command:
    def give(**options: Any) -> int:
        return _give(kind, **options)

    give.__doc__ = text + _HELP.format(example=example)
    decorated: Callable[..., Any] = give
    for option in reversed((*(_TARGETS[name] for name in targets.split()), *_COMMON)):
        decorated = option(decorated)
    return click.command(kind)(decorated)


disconnect = _command(
    "disconnect",
    "authid session role topic",
    "End sessions for good: their clients do not come back by themselves.\n\n    Name exactly one of them. --topic"
    "\n    means whoever is subscribed to it. It is no ban: a client may join again.",
    'stork disconnect --authid 7 --reason "signed out"',
)
unsubscribe = _command(
    "unsubscribe",
    "topic feed authid session role",
    "End the subscriptions that could get a topic or a feed.\n\n    Name --topic or --feed, and at most one of"
    "\n    --authid, --session and --role. Patterns that cover the topic end, too.",
    "stork unsubscribe --topic v1.orders.42 --authid 7",
)
refresh = _command(
    "refresh",
    "authid session",
    "Have sessions come back with new tickets.\n\n    Name --authid or --session.",
    "stork refresh --authid 7",
)
forget = _command(
    "forget",
    "authid topic feed",
    "Have the nodes forget the answers of verifiers.\n\n    The next subscription asks again. Name --authid, --topic or"
    "\n    --feed, or a user with one of the others.",
    "stork forget --authid 7",
)


def _give(kind: str, *, endpoint: str | None, push_key: str | None, as_json: bool, **options: Any) -> int:
    from stork_node.clients.publisher import Publisher
    from stork_node.errors import ConfigError, InvalidCommand, Problem
    from stork_node.transport.endpoints import Port, publish_server_endpoint

    secret = os.environ.get("STORK_BUS_SECRET") if push_key is None else None
    where = endpoint or publish_server_endpoint(Port.ROUTER, os.environ)
    with Publisher(where, secret=secret, push_key=push_key) as publisher:
        try:
            result = publisher.command(kind, **options)
        except InvalidCommand as error:
            raise ConfigError([Problem("", str(error))]) from None
    _show(result, as_json)
    return 0 if result.complete else EXIT_FAILED


def _show(result: "CommandResult", as_json: bool) -> None:
    if as_json:
        echo_json({"position": result.position, "complete": result.complete, "nodes": result.nodes})
        return
    click.echo(result.position)
    for node, met in result.nodes.items():
        words = met if isinstance(met, str) else ", ".join(f"{number:,} {what}" for what, number in met.items())
        click.echo(f"  {node}: {words}")
