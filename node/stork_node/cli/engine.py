"""``stork engine``: what an operator decides about the Redis of ``STORK_ENGINE``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from stork_node.cli.json_values import echo_json
from stork_node.errors import ConfigError, Problem

if TYPE_CHECKING:
    from stork_node.engines.redis.connection import ScriptConnection
    from stork_node.engines.redis.inspection import Inspection
    from stork_node.protocol.positions import Position

NOTHING_THERE = "no publish server has used this prefix yet"
_WAITS = ("auto", "0", "1", "2", "3", "all")


@click.group()
def engine() -> None:
    """
    Look at the Redis of STORK_ENGINE, or change for how many replicas a push waits.

    \b
    Examples:
      stork engine info
      stork engine wait 0

    \b
    Environment:
      STORK_ENGINE  URL of the Redis, or of its Sentinels
    """


@engine.command()
def info() -> None:
    """Print the epoch, the numbers, and how many replicas a push waits for."""
    with inspecting() as inspection:
        found = inspection.info()
    if found is None:
        click.echo(NOTHING_THERE)
        return
    click.echo(f"deployment  {found.deployment}")
    click.echo(f"epoch       {found.tail.epoch}")
    click.echo(f"committed   {found.tail.sequence:,} of {found.last:,}; {found.entries:,} entries are kept")
    click.echo(f"waits for   {found.wait}")


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


@contextmanager
def inspecting() -> "Iterator[Inspection]":
    """
    A look at the Redis of ``STORK_ENGINE``.

    Raises:
        ConfigError: it cannot be had, or does not answer.
    """
    from stork_node.engines.redis.errors import EngineAway, EngineFull
    from stork_node.engines.redis.inspection import Inspection

    _, connection = _connect()
    try:
        yield Inspection(connection)
    except (EngineAway, EngineFull) as error:
        raise ConfigError([Problem("STORK_ENGINE", error.reason)]) from None
    finally:
        connection.close()


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


def print_log_info(as_json: bool) -> None:
    """``stork log info`` of a log on an engine."""
    with inspecting() as inspection:
        found = inspection.info()
    if found is None:
        click.echo(NOTHING_THERE)
        return
    values = asdict(found) | {"tail": str(found.tail)}
    if as_json:
        echo_json(values)
        return
    for name, value in values.items():
        click.echo(f"{name:12}{value:,}" if isinstance(value, int) else f"{name:12}{value}")


def print_log_damages() -> bool:
    """``stork log verify`` of a log on an engine; returns whether something is wrong."""
    with inspecting() as inspection:
        found = inspection.info()
        damages = list(inspection.damages(found)) if found else []
    for damage in damages:
        click.echo(f"{damage.number}  {damage.problem}")
    if not damages:
        click.echo(f"{found.entries:,} entries, fine" if found else NOTHING_THERE)
    return bool(damages)


def log_frames(after: int) -> "Iterator[tuple[Position, bytes]]":
    """The committed entries after a number; no frame where only the number is kept."""
    with inspecting() as inspection:
        if found := inspection.info():
            yield from inspection.frames(found, after)
