"""``stork watch``."""

import json
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import click

from stork_node.cli import EXIT_FAILED
from stork_node.cli.json_values import printable
from stork_node.cli.session_options import Door, door, session_options
from stork_node.clock import local_now
from stork_node.errors import CallError, ConnectionRefused
from stork_node.wamp_client import Event, NotAnswered, Session, SessionEnded

_LONGEST_PAUSE_S = 15.0
# docs/architecture.md#refusals-and-endings: these pass.
_TRY_AGAIN = frozenset({"io.virge.stork.unavailable", "wamp.error.authorization_failed"})


@click.command()
@click.argument("topics", nargs=-1, required=True, metavar="TOPIC...")
@click.option("--match", type=click.Choice(["exact", "prefix", "wildcard"]), default="exact", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each event, and nothing else.")
@session_options
def watch(topics: tuple[str, ...], match: str, as_json: bool, **joining: Any) -> int:
    """
    Subscribe to each TOPIC, and print what is pushed to it until Ctrl-C.

    Prints each event's position, type, topic and data. Comes back when the connection is lost, and says so; what is
    pushed meanwhile it misses.

    \b
    Examples:
      stork watch v1.test.1 --ticket "$TICKET"
      stork watch v1.orders. --match prefix --backend
      stork watch v1.orders.42 --json --backend | jq .data

    \b
    Environment:
      STORK_TICKET             the ticket, unless --ticket gives one
      CROSSBAR_BACKEND_SECRET  where there is no ticket: joins as "backend", which may see everything
    """
    where = door(**joining)
    show = _show_json if as_json else _show
    try:
        session = _join(where)
        while True:
            ending = _watch(session, topics, match, show)
            _say(f"{ending}; trying again")
            session = _come_back(where)
    except KeyboardInterrupt:
        return 0


def _join(where: Door) -> Session:
    return Session(where.url, where.credentials, realm=where.realm)


def _watch(session: Session, topics: Iterable[str], match: str, show: Callable[[Event], None]) -> str:
    """Watch until the session ends; returns why it did."""
    with session:
        try:
            if not _subscribe(session, topics, match):
                return "no subscription for now"
        except (NotAnswered, SessionEnded):
            return session.ending or "no answer"
        for event in session.events():
            show(event)
        return session.ending


def _subscribe(session: Session, topics: Iterable[str], match: str) -> bool:
    """Subscribe to all, and name what is refused. False: nothing now, but later; ends the command if never."""
    watched, passing = [], False
    for topic in topics:
        try:
            session.subscribe(topic, match)
            watched.append(topic)
        except CallError as error:
            _say(f"no subscription to {printable(topic)}: {printable(str(error))}")
            passing = passing or error.uri in _TRY_AGAIN
    if watched:
        _say(f"watching {', '.join(watched)} as {session.authid} ({session.authrole})")
    elif not passing:
        raise click.exceptions.Exit(EXIT_FAILED)
    return bool(watched)


def _come_back(where: Door) -> Session:
    pause_s = 0.5
    while True:
        time.sleep(random.uniform(0, pause_s))  # noqa: S311  # jitter
        try:
            return _join(where)
        except ConnectionRefused as refused:
            if refused.reason:
                raise
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _fields(event: Event) -> dict[str, Any]:
    body = event.args[0] if event.args and isinstance(event.args[0], dict) else {"data": event.args}
    return {"topic": event.topic, "position": event.kwargs.get("position"), **body}


def _show_json(event: Event) -> None:
    click.echo(json.dumps(_fields(event), ensure_ascii=False))


def _show(event: Event) -> None:
    from rich.console import Console
    from rich.text import Text

    fields = _fields(event)
    line = Text.assemble(
        (local_now().strftime("%H:%M:%S "), "dim"),
        (printable(f"{fields['position'] or '-'} "), "cyan"),
        (printable(f"{fields.get('type', '-')} "), "bold green"),
        (printable(f"{fields['topic']} "), ""),
        printable(json.dumps(fields.get("data"), ensure_ascii=False)),
    )
    Console(highlight=False).print(line, soft_wrap=True)


def _say(text: str) -> None:
    click.secho(f"stork: {text}", err=True, dim=True)
