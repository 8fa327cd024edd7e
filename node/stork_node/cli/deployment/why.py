"""``stork why``."""

import json
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import click

from stork_node.cli import EXIT_FAILED
from stork_node.cli.json_values import echo_json

_TIMEOUT_S = 15.0


@click.command()
@click.argument("topic")
@click.option("--user", required=True, metavar="AUTHID", help="Who did not get the event.")
@click.option("--position", metavar="POSITION", help="Of the event. [default: the last one of the topic]")
@click.option("--url", metavar="URL", help="The operator's port of a node. [default: http://127.0.0.1:8081]")
@click.option("--key", metavar="KEY", help="A key of the HTTP API with the right read.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def why(topic: str, user: str, position: str | None, url: str | None, key: str | None, as_json: bool) -> int:
    """
    Say why a user did, or did not, get an event.

    The nodes remember for some minutes who joined, subscribed, was denied, was cut, and recovered. What they do not
    know any more is unknown.

    \b
    Examples:
      stork why v1.orders.42 --user 7
      stork why v1.orders.42 --user 7 --position 9f86d081884c7d65:1041 --json

    \b
    Environment:
      STORK_API_KEY        the key, if there is no --key
      STORK_OPERATOR_PORT  the port on 127.0.0.1, if there is no --url
    """
    from stork_node.why.merging import sentence

    base = url or f"http://127.0.0.1:{os.environ.get('STORK_OPERATOR_PORT') or 8081}"
    asked = {"topic": topic, "user": user} | ({"position": position} if position else {})
    try:
        answer = _ask(f"{base.rstrip('/')}/api/why?{urlencode(asked)}", key or os.environ.get("STORK_API_KEY", ""))
    except _NoAnswer as error:
        click.echo(f"stork: {error}", err=True)
        return EXIT_FAILED
    if as_json:
        echo_json(answer)
        return 0
    click.echo(f"{answer['topic']} at {answer['position'] or 'the next position'}, user {answer['user']}:")
    for cause in answer["causes"]:
        click.echo(f"  {sentence(cause)}")
    if answer["missing"]:
        click.echo(f"  no answer from: {', '.join(answer['missing'])}")
    return 0


class _NoAnswer(Exception):
    """One sentence."""


def _ask(url: str, key: str) -> Any:
    if not url.startswith(("http://", "https://")):
        raise _NoAnswer(f"{url} is no http:// or https:// address")
    request = urllib.request.Request(url, headers={"X-API-Key": key})  # noqa: S310  # checked above
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # checked above
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise _NoAnswer(f"the node refuses: {_reason(error.read(65_536)) or error.reason}") from None
    except (OSError, ValueError) as error:
        raise _NoAnswer(f"no answer from {url.partition('/api')[0]}: {error}") from None


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["reason"])
    except (ValueError, KeyError, TypeError):
        return ""
