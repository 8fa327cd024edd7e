"""JSON on the command line, in and out."""

import json
import re
import sys
from typing import Any

import click

_ACTING = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def parse_json(text: str, what: str) -> Any:
    """Parse a JSON value; otherwise raise a usage error, which says how to write a text."""
    try:
        return json.loads(text)
    except ValueError as error:
        hint = f" (a text is '{json.dumps(text)}')" if text.isidentifier() else ""
        raise click.UsageError(f"{what}: {text!r} is not JSON: {error}{hint}") from None


def echo_json(value: Any) -> None:
    """Print JSON with indentation, with colours on a terminal."""
    text = to_json(value, indent=2)
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print_json(text)
    else:
        click.echo(text)


def to_json(value: Any, indent: int | None = None) -> str:
    """
    JSON without characters that do something to a terminal: those of C1 (U+009B begins a sequence), and those that turn
    the direction of text.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)  # all of them are in strings


def printable(text: str) -> str:
    """``text`` with its control characters escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
