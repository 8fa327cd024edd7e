"""The options of commands that join a realm: URL, realm and credentials."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from stork_node.clients.credentials import Credentials
from stork_node.errors import ConfigError, Problem


@dataclass(frozen=True)
class SessionTarget:
    """URL, realm and credentials of a session."""

    url: str
    realm: str
    credentials: Credentials


def session_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--url``, ``--realm``, ``--ticket``, ``--backend`` and ``--authid``; ``session_target`` reads them."""
    for option in (
        click.option("--authid", help="The user name (authid) to ask for. The application may give another one."),
        click.option("--backend", is_flag=True, help="Join with CROSSBAR_BACKEND_SECRET, even if there is a ticket."),
        click.option("--ticket", help="Join with this ticket, as a browser does. [env: STORK_TICKET]"),
        click.option("--realm", default="realm1", show_default=True),
        click.option("--url", default="ws://127.0.0.1:8080/ws", show_default=True, help="The node's WebSocket."),
    ):
        command = option(command)
    return command


def session_target(url: str, realm: str, ticket: str | None, backend: bool, authid: str | None) -> SessionTarget:
    """
    Read the options and the environment.

    Raises:
        ConfigError: neither ticket nor secret.
    """
    ticket = None if backend else ticket or os.environ.get("STORK_TICKET")
    secret = os.environ.get("CROSSBAR_BACKEND_SECRET")
    if ticket:
        return SessionTarget(url, realm, Credentials(authid, ticket=ticket))
    if secret:
        return SessionTarget(url, realm, Credentials(authid or "backend", secret=secret))
    if backend:
        raise ConfigError([Problem("--backend", "CROSSBAR_BACKEND_SECRET is not set (want the node's)")])
    raise ConfigError(
        [Problem("", "no credentials: give --ticket, or set STORK_TICKET or CROSSBAR_BACKEND_SECRET to the node's")]
    )
