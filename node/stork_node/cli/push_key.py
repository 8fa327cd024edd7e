"""``stork push-key``."""

import os

import click

from stork_node.errors import ConfigError, Problem


@click.command("push-key")
@click.option("--curve", is_flag=True, help="Print the three keys of a CURVE socket instead, each in Z85 and in hex.")
def push_key(curve: bool) -> None:
    """
    Print the push key of a deployment whose bus is encrypted.

    A backend with this key (80 characters) can push. It cannot read other pushes; STORK_BUS_SECRET allows both. Use the
    key in "stork push --push-key", in Publisher(push_key=…) in Python or in the setting push_key in PHP. A new secret
    means a new key.

    Any other ZMQ library takes the three keys of --curve: the server's public key, and the public and secret key of all
    pushers.

    \b
    Examples:
      stork push-key
      stork push-key --curve

    \b
    Environment:
      STORK_BUS_SECRET  the secret of the deployment
    """
    secret = os.environ.get("STORK_BUS_SECRET")
    if not secret:
        raise ConfigError([Problem("STORK_BUS_SECRET", "is not set (want the publish server's)")])
    from zmq.utils import z85

    from stork_node.transport.curve import ClientKeys
    from stork_node.transport.curve import push_key as key_of

    if not curve:
        click.echo(key_of(secret))
        return
    keys = ClientKeys.from_secret(secret, "push")
    for label, key in (("server", keys.server_public), ("public", keys.client.public), ("secret", keys.client.secret)):
        click.echo(f"{label}  {key.decode()}  {z85.decode(key).hex()}")
