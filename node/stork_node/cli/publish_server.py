"""``stork publish-server``: its flags are the fields of ``PublishServerSettings``, with ``-`` for ``_``."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from stork_node.cli.stopping import end_when_asked
from stork_node.config import settings
from stork_node.errors import ConfigError, Problem
from stork_node.gc_tuning import freeze_startup_objects
from stork_node.logs.log_lines import LogSettings
from stork_node.logs.process_log import flush_log, log_to_stderr
from stork_node.publish_server.settings import PublishServerSettings
from stork_node.transport.endpoints import LOOPBACK, Port
from stork_node.webhooks.settings import read_webhooks

_HELP = {
    "pull": "Port for pushes without answers (PULL).",
    "router": "Port for pushes that are answered with their positions (ROUTER).",
    "pub": "The bus: the port to which nodes subscribe (PUB).",
    "replay": "The port from which nodes request missed pushes (ROUTER).",
    "secret": "Encrypts all ports; peers need the secret to connect. Better set it as STORK_BUS_SECRET.",
    "heartbeat_s": "Time between two heartbeats on the bus.",
    "data": "Folder; the push log is in its log/. [env: STORK_DATA]",
    "sync": "When the log is forced to disk: each second, always before an answer, or never.",
    "retention_s": "Time that the log keeps a push.",
    "retention_bytes": "Maximum size of the log.",
    "connections": "Maximum of connections for each port.",
    "engine": "Redis that keeps the log in place of the data folder: redis://HOST:6379. [env: STORK_ENGINE]",
    "deployment": "Name of the deployment that may use the engine. [env: STORK_DEPLOYMENT]",
    "depth": "Maximum of levels of arrays and objects in the data of a push.",
    "webhooks": "File with webhooks: .crossbar/config.json, or a file of its own.",
    "peers_bytes": "Maximum of memory for all peers together; above it the largest peers are cut.",
}


def _bound_to(port: Port) -> str:
    return f"tcp://${{STORK_BIND:-{LOOPBACK}}}:${{{port.variable}:-{int(port)}}}"


_FROM_ENVIRONMENT = {
    "pull": _bound_to(Port.PULL),
    "router": _bound_to(Port.ROUTER),
    "pub": _bound_to(Port.PUB),
    "replay": _bound_to(Port.REPLAY),
    "secret": "${STORK_BUS_SECRET:-}",
    "data": "${STORK_DATA:-.stork}",
    "engine": "${STORK_ENGINE:-}",
    "deployment": "${STORK_DEPLOYMENT:-}",
}


def _option(field: "dataclasses.Field[Any]") -> click.Option:
    default = f"{field.default:g}" if isinstance(field.default, float) else field.default or "none"
    return click.Option(
        [f"--{field.name.replace('_', '-')}"],
        metavar=field.metadata["parse"].__name__.upper(),
        help=f"{_HELP.get(field.name, '')} [default: {default}]",
    )


def parse_arguments(arguments: Sequence[str], environ: Mapping[str, str]) -> PublishServerSettings:
    """
    Read the arguments that follow ``publish-server``. Any value may have ``${NAME}`` and ``${NAME:-default}``.

    Raises:
        ConfigError: unknown flags, or values that do not parse; the path of a problem is its flag.
    """
    try:
        context = publish_server.make_context("publish-server", list(arguments))
    except click.ClickException as error:
        raise ConfigError([Problem("", error.format_message())]) from None
    read = _read(context.params, environ)
    read_webhooks(read.webhooks, environ)
    return read


def _read(given: Mapping[str, str | None], environ: Mapping[str, str]) -> PublishServerSettings:
    values = _FROM_ENVIRONMENT | {name: value for name, value in given.items() if value is not None}
    try:
        return settings.read(PublishServerSettings, values, environ)
    except ConfigError as error:
        problems = [Problem(f"--{problem.path.replace('_', '-')}", problem.text) for problem in error.problems]
        raise ConfigError(problems) from None


@click.command("publish-server", params=[_option(field) for field in dataclasses.fields(PublishServerSettings)])
def publish_server(**given: str | None) -> int:
    """
    Run the publish server: it takes pushes from backends, numbers and stores them, and sends them to every node.

    A deployment has one publish server. "stork up" runs it beside the node, with the arguments in
    .crossbar/config.json. For nodes on other hosts, run it alone, and set STORK_PUBLISH_SERVER=<this host> there. By
    default it binds to loopback. Without STORK_BUS_SECRET, every host that reaches these ports can push and read.

    \b
    Examples:
      stork publish-server
      STORK_BIND=10.0.0.5 stork publish-server
      stork publish-server --pull 'tcp://*:5555' --router 'tcp://*:5557' --pub 'tcp://*:5556' --replay 'tcp://*:5558'

    \b
    Environment:
      STORK_BUS_SECRET  encrypts the bus; all nodes and pushers need the same one
      STORK_DATA        folder of the push log, unless --data names it
      STORK_BIND        address for every port that has no flag of its own (default: loopback)
      STORK_PULL_PORT, STORK_PUB_PORT, STORK_ROUTER_PORT, STORK_REPLAY_PORT
                        its ports, unless a flag names them (5555, 5556, 5557, 5558)
      STORK_LOG         text, or json: one object a line
      STORK_LOG_LEVEL   debug, info, warn, error, critical

    Exit status: 0 stopped by SIGTERM or Ctrl-C, 1 the server failed or its log is damaged, 2 a flag is wrong, a port or
    the log is in use, or the folder of the log cannot be used.
    """
    end_when_asked()
    read = _read(given, os.environ)
    webhooks = read_webhooks(read.webhooks, os.environ)
    log_to_stderr("publish", LogSettings.read(os.environ))
    from stork_node.publish_server import run

    freeze_startup_objects()
    try:
        return run(read, webhooks)
    finally:
        flush_log()
