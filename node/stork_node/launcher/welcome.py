"""The text of ``stork up`` when it is ready: the address of the page, and commands to paste."""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stork_node.transport.endpoints import Endpoint, Port, local_endpoint

_TOPIC, _TYPE, _DATA = "v1.test.1", "hello", '{"n": 1}'


@dataclass(frozen=True)
class Commands:
    """
    Commands for pushing from this machine, for a shell in the current folder.

    ``stork`` is the running program. ``php_push`` is scripts/push.php, or None if that or PHP is missing.
    """

    stork: str
    php_push: str | None

    @classmethod
    def here(cls, argv0: str, php_push_script: Path | None) -> "Commands":
        php = shutil.which("php") is not None and php_push_script is not None
        return cls(_program(Path(argv0)), f"php {_from_here(php_push_script)}" if php and php_push_script else None)


def welcome(page_url: str, ticket: str, *, trial: bool, endpoint: str, encrypted: bool, commands: Commands) -> str:
    """
    Build the text.

    Args:
        page_url: the address of the page.
        ticket: a ticket that was made up goes into the address's fragment, which browsers do not send. A given
            ticket is not shown, because this text is part of the log in a container.
        trial: whether the ticket was made up at this start.
        endpoint: the bound endpoint on which the publish server answers pushes.
        encrypted: whether pushers need the bus secret.
        commands: the commands for pushing.
    """
    bound = Endpoint.parse(endpoint)
    endpoint = str(Endpoint(bound.to_reach, bound.port))
    elsewhere = "" if endpoint == local_endpoint(Port.ROUTER) else shlex.quote(f"--endpoint={endpoint}")
    data = shlex.quote(_DATA)
    lines = ["", "Stork node is ready."]
    if trial:
        lines.append("TRIAL: STORK_TICKET is not set, so the ticket below was made up, for this start only.")
    lines += ["", f"  Page  {page_url}#ticket={quote(ticket, safe='') if trial else '$STORK_TICKET'}"]
    lines.append(f"  Push  {commands.stork} push {_TOPIC} --type {_TYPE} --data {data} {elsewhere}".rstrip())
    if commands.php_push:
        lines.append(f"  PHP   {commands.php_push} {_TOPIC} {_TYPE} {data} {elsewhere}".rstrip())
    if encrypted:
        lines += ["", "  Pushing needs STORK_BUS_SECRET, as it is set here."]
    return "\n".join([*lines, "", "Ctrl-C ends it.", ""])


def _program(argv0: Path) -> str:
    if argv0.name != "stork":  # python -m stork_node
        beside = Path(sys.executable).with_name("stork")
        if not beside.is_file():
            return f"{_from_here(Path(sys.executable))} -m stork_node"
        argv0 = beside
    on_path = shutil.which("stork")
    return "stork" if on_path and Path(on_path).resolve() == argv0.resolve() else _from_here(argv0)


def _from_here(path: Path) -> str:
    absolute = Path(os.path.abspath(path))  # not resolve(): the user knows the link
    here = Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))
