"""``stork log info | verify | cat`` where ``STORK_ENGINE`` says that the log is on a Redis."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from stork_node.cli.engine import NOTHING_THERE, inspecting
from stork_node.cli.json_values import echo_json

if TYPE_CHECKING:
    from stork_node.protocol.positions import Position


def info(as_json: bool) -> None:
    """Print a summary."""
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


def verify() -> bool:
    """Print what is wrong; returns whether something is."""
    with inspecting() as inspection:
        found = inspection.info()
        damages = list(inspection.damages(found)) if found else []
    for damage in damages:
        click.echo(f"{damage.number}  {damage.problem}")
    if not damages:
        click.echo(f"{found.entries:,} entries, fine" if found else NOTHING_THERE)
    return bool(damages)


def frames(after: int) -> "Iterator[tuple[Position, bytes]]":
    """The committed entries after a number; no frame where only the number is kept."""
    with inspecting() as inspection:
        if found := inspection.info():
            yield from inspection.frames(found, after)
