"""``stork up``: checks, then runs the node and its publish server as one unit."""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stork_node.cli.publish_server import parse_arguments
from stork_node.config import configuration, settings
from stork_node.config.drain import DrainSettings, extra_of
from stork_node.config.variables import unknown_variables
from stork_node.launcher.check_process import preflight
from stork_node.launcher.child_environ import publish_server_environ
from stork_node.launcher.child_process import ChildProcess
from stork_node.launcher.push_commands import PushCommands
from stork_node.launcher.readiness import ReadySocket, tell_service_manager
from stork_node.launcher.reloading import Reloader, SourceWatch, application_folders
from stork_node.launcher.supervisor import STOP_DEADLINE_S, Supervisor
from stork_node.launcher.welcome import welcome
from stork_node.logs.log_lines import LogSettings
from stork_node.logs.log_writer import LogWriter
from stork_node.transport.endpoints import (
    ENGINE_VARIABLE,
    LOOPBACK,
    Endpoint,
    Port,
    bracketed,
    is_this_machine,
    names_other_host,
    publish_server_endpoint,
)

_STDOUT = 1


def run(folder: Path, environ: Mapping[str, str], *, watch: bool = False) -> int:
    """
    Check ``folder``, start its processes, and run them until they are stopped.

    Args:
        folder: the folder of config.json.
        environ: the environment of the processes.
        watch: whether to load the application again when its code has changed.

    Returns:
        The exit status, see ``Supervisor.run``.

    Raises:
        ConfigError: all problems of the configuration, application and ports; nothing was started.
    """
    console = _Console(LogSettings.read(environ), environ)
    try:
        return _run(folder, environ, console, watch)
    finally:
        console.writer.flush()


def _run(folder: Path, environ: Mapping[str, str], console: "_Console", watch: bool) -> int:
    own = dict(environ)
    own["STORK_TICKET"] = environ.get("STORK_TICKET") or secrets.token_urlsafe(12)
    config = configuration.load(folder, own)
    console.say(f"checking {config.file}")
    arguments = config.publish_server if runs_publish_server(own) else None
    application = preflight(folder, own, "node" if arguments is None else "all")

    publish_server, endpoint = None, publish_server_endpoint(Port.ROUTER, own).partition(",")[0]
    if arguments is not None:
        its_environ = publish_server_environ([*arguments, config.webhooks], own)
        publish_server = ChildProcess("publish server", _stork(*arguments), its_environ)
        endpoint = parse_arguments(arguments[1:], own).router
        own |= _among_others(own) if own.get(ENGINE_VARIABLE) else _beside(endpoint, own)
    page_url = config.public.page_url if config.public else ""  # preflight refuses a configuration without one
    here = PushCommands.here(sys.argv[0], own)
    commands = here.to(endpoint, encrypted=bool(own.get("STORK_BUS_SECRET")))
    text = welcome(
        page_url,
        own["STORK_TICKET"],
        made_up=not environ.get("STORK_TICKET"),
        application=application,
        commands=commands,
    )
    for sentence in unknown_variables(folder, own):
        console.say(sentence, "warn")
    console.say("starting the node" + (" and its publish server" if publish_server else ""))
    with ReadySocket() as ready_socket:
        command = _stork("node", "--checked", "--config", str(folder))
        node = ChildProcess("node", command, own | commands.environ | ready_socket.environ)
        drain = settings.read(DrainSettings, extra_of(config.crossbar["workers"]), own)
        reloader = None
        if watch:
            sources = SourceWatch(application_folders(config.folder, config.crossbar), config.file)
            reloader = Reloader(config.folder, sources, own, console.say)
        operator = _Operator(console, text, page_url, reloader)
        stop_deadline_s = STOP_DEADLINE_S + drain.longest_s
        return Supervisor(node, publish_server, ready_socket, operator, stop_deadline_s).run()


def _beside(endpoint: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the node needs to reach a publish server of this host that does not bind loopback."""
    host = Endpoint.parse(endpoint).to_reach
    return {} if host == LOOPBACK or environ.get("STORK_PUBLISH_SERVER") else {"STORK_PUBLISH_SERVER": bracketed(host)}


def _among_others(environ: Mapping[str, str]) -> dict[str, str]:
    """With an engine, the node follows the publish server beside it first, and then those that are named."""
    named = [host.strip() for host in environ.get("STORK_PUBLISH_SERVER", "").split(",")]
    others = [host for host in named if host and not is_this_machine(host, os.uname().nodename)]
    return {"STORK_PUBLISH_SERVER": ",".join([LOOPBACK, *others])} if others else {}


def runs_publish_server(environ: Mapping[str, str]) -> bool:
    """Whether this host runs the publish server: ``STORK_PUBLISH_SERVER`` names no other host."""
    return not names_other_host(environ, os.uname().nodename)


def _stork(*arguments: str) -> list[str]:
    # -P: a module in the user's current folder must not stand in for one of ours.
    return [sys.executable, "-P", "-m", "stork_node", *arguments]


class _Console:
    """The output for an operator at a terminal, or for a machine that reads JSON. It never waits for its reader."""

    def __init__(self, log: LogSettings, environ: Mapping[str, str]) -> None:
        self._log, self._environ = log, environ
        render = log.renders("up") if log.format == "json" else _for_people
        self.writer = LogWriter(_STDOUT, render)

    def ready(self, welcome: str, page_url: str) -> None:
        if self._log.format == "text":
            self.writer.write_text(f"{welcome}\n")
        else:
            self.say(f"the node is ready, and its page is {page_url}")
        tell_service_manager(self._environ)

    def say(self, line: str, level: str = "info") -> None:
        if self._log.format == "text" or self._log.shows(level):
            self.writer.write(level, line, __name__)


def _for_people(_level: str, text: str, _logger: str, _fields: Mapping[str, Any]) -> str:
    return f"stork: {text}\n"


@dataclass(frozen=True)
class _Operator:
    """Gets the reports of the supervisor."""

    console: _Console
    welcome: str
    page_url: str
    reloader: Reloader | None

    def ready(self) -> None:
        self.console.ready(self.welcome, self.page_url)
        if self.reloader:
            self.reloader.start()

    def say(self, line: str) -> None:
        self.console.say(line, "warn")
