"""``stork reload``."""

import os
from pathlib import Path

import click

from stork_node.cli import EXIT_FAILED
from stork_node.errors import ConfigError, Problem
from stork_node.launcher import control


@click.command()
@click.option("--config", "folder", default=".crossbar", show_default=True, type=click.Path(path_type=Path))
def reload(folder: Path) -> int:
    """
    Load a changed app.py, and the changed keys of the HTTP API, while every browser stays connected.

    A new application process starts beside the old one and takes over. Then the old one finishes its open calls, and
    stops. If the new one does not start, the old one goes on, and this command prints the reason. Run it as the user
    that runs the node, on its host or in its container, with the same --config. Other changes of config.json need a
    restart.

    \b
    Examples:
      stork reload
      stork reload --config /etc/stork
      docker exec stork stork reload

    Exit status: 0 the new application runs, 1 it was refused or no node runs here, 2 the folder has no configuration.
    """
    if not (folder / "config.json").is_file():
        raise ConfigError([Problem(str(folder / "config.json"), "no such file (want the --config of the node)")])
    answers = [
        answer for path in control.find_sockets(folder, os.environ) if (answer := control.ask(path, control.RELOAD))
    ]
    if not answers:
        click.echo(f"stork: no node of this user runs {folder.resolve()} here", err=True)
        return EXIT_FAILED
    return max(_show(answer) for answer in answers)


def _show(answer: control.Answer) -> int:
    status = 0
    try:
        for kind, text in answer:
            click.echo(f"stork: {text}", err=kind == "error")
            status = EXIT_FAILED if kind == "error" else 0
    except control.NodeLost as error:
        click.echo(f"stork: {error}", err=True)
        return EXIT_FAILED
    return status
