"""``stork push-key``."""

import os

import click

from stork_node.errors import ConfigError, Problem


@click.command("push-key")
def push_key() -> None:
    """
    Print the push key of a deployment whose bus is encrypted.

    Its 80 characters let a backend push, but not read what others push, as STORK_BUS_SECRET itself would. Give it to
    "stork push --push-key", to Publisher(push_key=…) in Python or to the setting push_key in PHP. It changes when the
    secret does.

    \b
    Environment:
      STORK_BUS_SECRET  the secret of the deployment
    """
    secret = os.environ.get("STORK_BUS_SECRET")
    if not secret:
        raise ConfigError([Problem("STORK_BUS_SECRET", "is not set (want the publish server's)")])
    from stork_node.transport import curve

    click.echo(curve.push_key(secret))
