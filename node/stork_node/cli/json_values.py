"""JSON on the command line, in and out."""

import json
import sys
from typing import Any

import click


def parse_json(text: str, what: str) -> Any:
    """Parse a JSON value; otherwise raise a usage error, which says how to write a text."""
    try:
        return json.loads(text)
    except ValueError as error:
        hint = f" (a text is '{json.dumps(text)}')" if text.isidentifier() else ""
        raise click.UsageError(f"{what}: {text!r} is not JSON: {error}{hint}") from None


def echo_json(value: Any) -> None:
    """Print JSON with indentation, with colours on a terminal."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print_json(text)
    else:
        click.echo(text)


def printable(text: str) -> str:
    """``text`` with its control characters escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
