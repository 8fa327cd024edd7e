"""``stork check``."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stork_node.application.summary import Summary
from stork_node.config import configuration
from stork_node.config.hidden_files import hidden_files
from stork_node.config.variables import unknown_variables
from stork_node.errors import ConfigError

if TYPE_CHECKING:
    from stork_crossbar.processes.config_check import Ports


@click.command()
@click.option("--config", "folder", default=".crossbar", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--ports",
    type=click.Choice(["none", "node", "all"]),
    default="none",
    show_default=True,
    help="Also check that ports are free: the node's, or also the publish server's. They are in use while these run.",
)
@click.option(
    "--crossbar", is_flag=True, help="Check the installed Crossbar, autobahn and Twisted instead: their private names."
)
@click.option(
    "--engine", is_flag=True, help="Check the Redis of STORK_ENGINE instead: whether it keeps what it is told."
)
@click.option("--json", "as_json", is_flag=True, help="Print the problems as a JSON list of {path, text}.")
@click.option("--report", is_flag=True, hidden=True, help="For stork up: problems and declarations as JSON.")
def check(folder: Path, ports: "Ports", crossbar: bool, engine: bool, as_json: bool, report: bool) -> None:
    """
    Check .crossbar/config.json and app.py, without starting anything.

    Prints all errors at once, each with its place. Exit status: 0 no error, 2 at least one.

    \b
    Examples:
      stork check
      stork check --config /etc/stork --ports all
      stork check --crossbar
      STORK_ENGINE=redis+sentinel://a,b,c/mymaster stork check --engine
    """
    if engine:
        raise SystemExit(_check_engine())
    if crossbar:
        from stork_crossbar.internals.crossbar_check import report as report_names

        sentences, is_usable = report_names()
        click.echo("\n".join(sentences))
        raise SystemExit(0 if is_usable else 2)
    from stork_crossbar.processes.config_check import check as check_folder
    from stork_crossbar.processes.config_check import explain_old_names, explain_origins

    try:
        application = check_folder(folder, os.environ, ports)
    except ConfigError as error:
        problems = [asdict(problem) for problem in error.problems]
        if report:
            click.echo(json.dumps({"problems": problems, "application": Summary().as_json()}))
        elif as_json:
            click.echo(json.dumps(problems))
        else:
            raise
        raise SystemExit(2) from None
    if report:
        click.echo(json.dumps({"problems": [], "application": application.as_json()}))
    elif as_json:
        click.echo("[]")
    else:
        click.echo(f"{folder / 'config.json'} is fine, and so is the application")
        explained = [*explain_origins(folder, os.environ), *explain_old_names(folder)]
        hidden = hidden_files(configuration.load(folder, os.environ))
        for sentence in [*explained, *hidden, *unknown_variables(folder, os.environ)]:
            click.echo(sentence)


def _check_engine() -> int:
    from stork_node.cli.publish_server import parse_arguments
    from stork_node.engines.redis.address import RedisAddress
    from stork_node.engines.redis.checks import check_engine

    settings = parse_arguments([], os.environ)
    if not settings.engine:
        click.echo("STORK_ENGINE names no engine: the log is in the files of the publish server")
        return 0
    address = RedisAddress.parse(settings.engine)
    problems, warnings = check_engine(address, settings.retention_bytes)
    for sentence in [*problems, *warnings]:
        click.echo(sentence)
    if not problems and not warnings:
        click.echo(f"{address} is fine")
    return 2 if problems else 0
