"""The commands of ``stork``: each is imported only when it is needed. Here are also the messages of their errors."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

import click

from stork_node.cli import EXIT_FAILED, EXIT_USAGE, needs_the_node_extra
from stork_node.clock import utc_now
from stork_node.errors import ConfigError, InvalidPush, StorkError
from stork_node.logs.log_lines import LogSettings

# name: (module, attribute, one line for the list of commands, which needs no import)
COMMANDS = {
    "up": ("stork_node.cli.up", "up", "Run the node and its publish server as one unit."),
    "node": ("stork_crossbar.commands.node", "node", "Run one node, to which browsers connect."),
    "publish-server": (
        "stork_node.cli.publish_server",
        "publish_server",
        "Run the publish server, which takes pushes.",
    ),
    "reload": ("stork_node.cli.reload", "reload", "Load a changed app.py; browsers stay connected."),
    "check": (
        "stork_crossbar.commands.check",
        "check",
        "Check a configuration and its application.",
    ),
    "init": ("stork_node.cli.init", "init", "Write a first .crossbar/."),
    "push": ("stork_node.cli.push", "push", "Push a message to topics."),
    "call": ("stork_node.cli.call", "call", "Call a procedure, and print its result."),
    "status": ("stork_node.cli.deployment.status", "status", "Print the nodes of a deployment, and what is wrong."),
    "disconnect": ("stork_node.cli.deployment.commands", "disconnect", "End sessions for good."),
    "unsubscribe": ("stork_node.cli.deployment.commands", "unsubscribe", "End subscriptions to a topic or a feed."),
    "refresh": ("stork_node.cli.deployment.commands", "refresh", "Have sessions come back with new tickets."),
    "forget": ("stork_node.cli.deployment.commands", "forget", "Have nodes forget the answers of verifiers."),
    "online": ("stork_node.cli.deployment.online", "online", "Print who is online in a topic."),
    "why": ("stork_node.cli.deployment.why", "why", "Say why a user did not get an event."),
    "log": ("stork_node.cli.log", "log", "Read the push log, check it, erase a topic from it."),
    "engine": ("stork_node.cli.engine", "engine", "Look at the Redis that keeps the log, or set its replicas."),
    "push-key": ("stork_node.cli.push_key", "push_key", "Print a key with which a backend can push, but not read."),
    "watch": ("stork_node.cli.watch", "watch", "Subscribe to topics, and print their events."),
}
# The commands whose output is a log, with the name of their process there.
_LOGGING = {"up": "up", "node": "node", "publish-server": "publish"}


class Commands(click.Group):
    """A group that imports a command's module when the command, or its help, is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            name = args[0] if args else ""
            ctx.fail(f"there is no command {name!r}; the commands are {', '.join(COMMANDS)}")


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="stork-node", message="stork %(version)s")
def stork() -> None:
    """
    Stork node: your backend pushes a message to a topic, and every browser that may see the topic gets it.

    Begin with "stork up" in a folder that has a .crossbar/; "stork init" writes one. "stork COMMAND --help" has
    examples.
    """


def run(arguments: Sequence[str]) -> int:
    """Run ``stork ARGUMENTS…``, and print one sentence on stderr for an error; returns the exit status."""
    say = _say_errors(arguments)
    try:
        status = stork.main(list(arguments), prog_name="stork", standalone_mode=False)
    except click.ClickException as error:
        if say is show:
            error.show()
        else:
            say(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_FAILED
    except (ConfigError, InvalidPush) as error:
        say(str(error))
        return EXIT_USAGE
    except StorkError as error:
        say(str(error))
        return EXIT_FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered has nowhere to go at exit
        return EXIT_FAILED
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in ("crossbar", "autobahn", "twisted", "txaio", "websockets"):
            raise
        return needs_the_node_extra(f"this command needs {package}")
    return status if isinstance(status, int) else 0


def _say_errors(arguments: Sequence[str]) -> Callable[[str], None]:
    """Plain lines; JSON if the command writes its log in JSON."""
    process = _LOGGING.get(next(iter(arguments), ""))
    return partial(_log, process) if process and os.environ.get("STORK_LOG") == "json" else show


def show(text: str) -> None:
    """Print each problem as one line on stderr, red on a terminal."""
    for line in text.splitlines():
        click.secho(f"stork: {line}", err=True, fg="red")


def _log(process: str, text: str) -> None:
    for line in text.splitlines():
        click.echo(LogSettings("json").line("error", process, line, __name__, {}, utc_now()), err=True)
