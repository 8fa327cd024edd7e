"""``stork init``."""

import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from stork_node.errors import ConfigError, Problem
from stork_node.resources import template_folder

# By name: a .crossbar/ that stock Crossbar was started on has keys and sockets, too.
_TEMPLATE = ("config.json", "app.py", "web")


@click.command()
@click.argument("folder", default=".crossbar", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def init(folder: Path, force: bool) -> None:
    """
    Write a first .crossbar/: config.json (the node and every setting), app.py (your application), web/ (the page at /).

    FOLDER is .crossbar by default. Existing files are an error, unless --force overwrites them.

    \b
    Examples:
      stork init
      stork init deploy/stork
    """
    there = [folder / name for name in _TEMPLATE if (folder / name).exists()]
    if there and not force:
        raise ConfigError([Problem(str(path), "is there already (overwrite it with --force)") for path in there])
    try:
        _copy(template_folder(), folder)
    except OSError as error:
        raise ConfigError([Problem(str(error.filename or folder), f"cannot be written: {error.strerror}")]) from None
    click.echo(_next_steps(folder))


def _copy(template: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _TEMPLATE:
        source = template / name
        if source.is_dir():
            shutil.copytree(source, folder / name, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, folder / name)


def _next_steps(folder: Path) -> str:
    from stork_node.launcher.push_commands import PushCommands

    stork = PushCommands.here(sys.argv[0], os.environ).stork
    option = "" if folder == Path(".crossbar") else f" --config {shlex.quote(str(folder))}"
    steps = {
        f"{stork} up{option}": "starts it, and prints the address of the page",
        str(folder / "app.py"): "your rules: which users may join, and see which topic",
        f"{stork} check{option}": "after each change",
    }
    width = max(map(len, steps))
    lines = [f"  {step:<{width}}   {what}" for step, what in steps.items()]
    wrote = f"Wrote {folder / 'config.json'}, {folder / 'app.py'} and {folder / 'web'}/."
    return "\n".join([wrote, "", "Next:", *lines])
