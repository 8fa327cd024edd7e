"""``stork engine``: what an operator decides about the Redis of ``STORK_ENGINE``."""

import os
from typing import TYPE_CHECKING

import click

from stork_node.errors import ConfigError, Problem

if TYPE_CHECKING:
    from stork_node.engines.redis.connection import ScriptConnection

_WAITS = ("auto", "0", "1", "2", "3", "all")


@click.group()
def engine() -> None:
    """
    Look at the Redis of STORK_ENGINE, or change for how many replicas a push waits.

    \b
    Examples:
      stork engine info
      stork engine wait 0
    """


@engine.command()
def info() -> None:
    """Print the epoch, the numbers, and how many replicas a push waits for."""
    _, connection = _connect()
    try:
        answer = connection.ask("HGETALL", connection.meta)
    finally:
        connection.close()
    found = {answer[i].decode(): answer[i + 1].decode() for i in range(0, len(answer), 2)}
    if not found:
        click.echo("no publish server has used this prefix yet")
        return
    click.echo(f"deployment  {found['d']}")
    click.echo(f"epoch       {found['e']}")
    click.echo(f"committed   {int(found['c']):,} of {int(found['s']):,}; {int(found['n']):,} entries are kept")
    click.echo(f"waits for   {found['wait']}")


@engine.command()
@click.argument("replicas", type=click.Choice(_WAITS))
def wait(replicas: str) -> None:
    """
    Set how many REPLICAS have a push before it is answered.

    auto: one, from when the first replica was seen. all: each one that is connected. 0: none; what is answered may be
    lost with the master.
    """
    name, connection = _connect()
    try:
        connection.ask("HSET", connection.meta, "wait", replicas)
    finally:
        connection.close()
    how = "as soon as there is one, for one replica" if replicas == "auto" else f"for {replicas} replicas"
    click.echo(f"{name}: a push waits {how}")


def _connect() -> "tuple[str, ScriptConnection]":
    from stork_node.engines.redis.address import RedisAddress
    from stork_node.engines.redis.connection import ScriptConnection, find_master
    from stork_node.engines.redis.errors import EngineAway

    try:
        address = RedisAddress.parse(os.environ.get("STORK_ENGINE", ""))
        return str(address), ScriptConnection(address, find_master(address))
    except ValueError as error:
        raise ConfigError([Problem("STORK_ENGINE", str(error))]) from None
    except EngineAway as error:
        raise ConfigError([Problem("STORK_ENGINE", error.reason)]) from None
