"""``stork push``."""

import os
import sys

import click

from stork_node.cli.json_values import echo_json, parse_json


@click.command()
@click.argument("topics", metavar="TOPIC[,TOPIC]...")
@click.option("--type", "type_", default="message", show_default=True, help="The type of the message.")
@click.option(
    "--data",
    default="null",
    show_default=True,
    metavar="JSON|-",
    help="The content of the message; - reads it from stdin.",
)
@click.option("--id", "id_", metavar="KEY", help="Idempotency key: a second push with it is not delivered.")
@click.option("--exclude", multiple=True, type=int, metavar="SESSION", help="A session id that does not get the push.")
@click.option("--no-store", is_flag=True, help="Deliver at most once, and do not store the push.")
@click.option("--receipt", is_flag=True, help="Wait until each node has written it; print what became of it as JSON.")
@click.option("--endpoint", metavar="ENDPOINT", help="The publish server's ROUTER. [default: tcp://127.0.0.1:5557]")
@click.option("--timeout-ms", type=click.IntRange(min=1), default=2000, show_default=True)
@click.option("--push-key", help="The push key, for an encrypted bus; see stork push-key.")
def push(
    topics: str,
    type_: str,
    data: str,
    id_: str | None,
    exclude: tuple[int, ...],
    no_store: bool,
    receipt: bool,
    endpoint: str | None,
    timeout_ms: int,
    push_key: str | None,
) -> None:
    """
    Push a message to each TOPIC (version.feed.id), and print its position once it is stored.

    If the push is refused, or not confirmed in time, one sentence on stderr says why. Then the exit status is 1. If
    nobody can get it, though it is stored, a warning on stderr says so.

    \b
    Examples:
      stork push v1.test.1 --type hello --data '{"n": 1}'
      stork push v1.orders.42,v1.user.7 --type order_paid --data '{"id": 42}' --id order-42-paid
      stork push v1.orders.42 --type order_paid --receipt
      cat order.json | stork push v1.orders.42 --type order_paid --data -

    \b
    Environment:
      STORK_PUBLISH_SERVER  host of the publish server, if there is no --endpoint
      STORK_BUS_SECRET      the secret of an encrypted bus, if there is no --push-key
    """
    content = _stdin() if data == "-" else data
    parse_json(content, "--data")
    from msgspec import Raw

    from stork_node.clients.publisher import Publisher
    from stork_node.clients.push_options import PushOptions
    from stork_node.transport.endpoints import Port, publish_server_endpoint

    secret = os.environ.get("STORK_BUS_SECRET") if push_key is None else None
    with Publisher(
        endpoint or publish_server_endpoint(Port.ROUTER, os.environ), timeout_ms, secret, push_key
    ) as publisher:
        raw = Raw(content.encode())  # as it was written, digit for digit
        options: PushOptions = {"id": id_, "exclude": exclude, "store": not no_store, "receipt": receipt}
        position = publisher.push(topics.split(","), type_, raw, **options)
    if receipt:
        echo_json({"position": position, "receipt": position.receipt or {}})
    else:
        click.echo(position)
    if position.warning:
        click.echo(f"warning: {position.warning}", err=True)


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise click.UsageError("--data: stdin is not UTF-8") from None
