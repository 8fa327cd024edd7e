"""``stork call``."""

import dataclasses
from typing import Any

import click

from stork_node.cli.json_values import echo_json, parse_json
from stork_node.cli.session_options import session_options, session_target


@click.command()
@click.argument("uri")
@click.argument("arguments", nargs=-1, metavar="[ARGUMENT]...")
@click.option("--kwargs", metavar="JSON", help="Keyword arguments, a JSON object.")
@click.option("--timeout-s", type=click.FloatRange(min=0, min_open=True), default=5.0, show_default=True)
@session_options
def call(uri: str, arguments: tuple[str, ...], kwargs: str | None, timeout_s: float, **joining: Any) -> None:
    """
    Call the procedure URI, and print its result as JSON.

    Each ARGUMENT is one JSON value; a text needs its quotes: '"Ada"'. If the procedure or the router reports an error,
    one sentence on stderr has the error and its WAMP URI. Then the exit status is 1.

    \b
    Examples:
      stork call virge.stork.example.foo '{"name": "Ada"}' --ticket "$TICKET"
      stork call io.example.greet '"Ada"' --kwargs '{"loud": true}'
      stork call --backend wamp.session.count

    \b
    Environment:
      STORK_TICKET             the ticket, if there is no --ticket
      CROSSBAR_BACKEND_SECRET  if there is no ticket: joins as "backend", which may call everything
    """
    args = [parse_json(text, f"argument {number}") for number, text in enumerate(arguments, 1)]
    keywords = parse_json(kwargs, "--kwargs") if kwargs is not None else {}
    if not isinstance(keywords, dict):
        raise click.UsageError("--kwargs: not a JSON object")
    where = session_target(**joining)
    from stork_node.clients.caller import Caller, CallResult

    shown = dataclasses.asdict(where.credentials)
    with Caller(where.url, realm=where.realm, timeout_s=timeout_s, **shown) as caller:
        result = caller.call(uri, *args, **keywords)
    echo_json({"args": result.results, "kwargs": result.kwresults} if isinstance(result, CallResult) else result)
