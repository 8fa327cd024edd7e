"""What ``stork up`` says when it is ready: where the page is, and commands to paste."""

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
    How this machine pushes, as a shell in the current folder takes it.

    ``stork`` is the program that runs; ``php_push`` is scripts/push.php, or None where that or PHP is missing.
    """

    stork: str
    php_push: str | None

    @classmethod
    def here(cls, argv0: str, php_push_script: Path | None) -> "Commands":
        php = shutil.which("php") is not None and php_push_script is not None
        return cls(_program(Path(argv0)), f"php {_from_here(php_push_script)}" if php and php_push_script else None)


def welcome(page_url: str, ticket: str, *, trial: bool, endpoint: str, encrypted: bool, commands: Commands) -> str:
    """
    The text.

    Args:
        page_url: where the page is.
        ticket: goes into its fragment, which browsers do not send, where it was made up. One that was given is not
            shown: what is printed here is a log in a container.
        trial: the ticket was made up at this start.
        endpoint: where the publish server answers pushes, as it is bound.
        encrypted: pushers need the bus secret.
        commands: how to push from here.
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
    absolute = Path(os.path.abspath(path))  # not resolve(): a link is what the user knows
    here = Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))
