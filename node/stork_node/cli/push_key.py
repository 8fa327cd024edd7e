"""``stork push-key``."""

import os

import click

from stork_node.errors import ConfigError, Problem


@click.command("push-key")
def push_key() -> None:
    """
    Print the push key of a deployment whose bus is encrypted.

    A backend with this key (80 characters) can push. It cannot read other pushes; STORK_BUS_SECRET allows both. Use the
    key in "stork push --push-key", in Publisher(push_key=…) in Python or in the setting push_key in PHP. A new secret
    means a new key.

    \b
    Environment:
      STORK_BUS_SECRET  the secret of the deployment
    """
    secret = os.environ.get("STORK_BUS_SECRET")
    if not secret:
        raise ConfigError([Problem("STORK_BUS_SECRET", "is not set (want the publish server's)")])
    from stork_node.transport import curve

    click.echo(curve.push_key(secret))
