"""
CURVE on the sockets of a deployment: every key comes from one secret, ``STORK_BUS_SECRET``.

There are two channels, each with a key pair for its server and one for all of its clients. Who may push may not follow:
a pusher outside the deployment gets the *push key*, 80 characters, and not the secret. To erase topics takes a third
client key.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal, Self

import zmq
from zmq.utils import z85

Channel = Literal["push", "follow"]
"""``push`` is for 5555 and 5557, ``follow`` (the bus and replay) for 5556 and 5558."""

Right = Literal["push", "follow", "erase"]
"""What a client's key is for. ``erase`` is for 5558, which relays reach with the key to ``follow``."""

_KEY_CHARACTERS = 40


@dataclass(frozen=True)
class KeyPair:
    """A Curve25519 key pair, Z85 (40 characters each)."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"


@dataclass(frozen=True)
class ClientKeys:
    """What a client needs: the server's public key and the clients' own pair."""

    server_public: bytes
    client: KeyPair

    @classmethod
    def from_secret(cls, secret: str, channel: Channel) -> Self:
        return cls(server_keys(secret, channel).public, client_keys(secret, channel))

    @classmethod
    def to_erase(cls, secret: str) -> Self:
        """For the replay port, with the right to erase topics."""
        return cls(server_keys(secret, "follow").public, client_keys(secret, "erase"))

    @classmethod
    def from_push_key(cls, push_key: str) -> Self:
        """
        Read a push key.

        Raises:
            ValueError: not 80 characters of Z85.
        """
        try:
            text = push_key.encode("ascii")
            server_public, client_secret = text[:_KEY_CHARACTERS], text[_KEY_CHARACTERS:]
            if len(z85.decode(server_public)) != 32 or len(z85.decode(client_secret)) != 32:
                raise ValueError
            return cls(server_public, KeyPair(zmq.curve_public(client_secret), client_secret))
        except Exception:  # z85 raises KeyError, ValueError and struct.error; the key itself must not be in a message
            raise ValueError("not a push key (want its 80 characters)") from None


def server_keys(secret: str, channel: Channel) -> KeyPair:
    """The pair of a channel's server."""
    return _derive(secret, f"{channel} server")


def client_keys(secret: str, right: Right) -> KeyPair:
    """The pair that all clients with a right share."""
    return _derive(secret, f"{right} client")


def push_key(secret: str) -> str:
    """The push key: the push server's public key and the push client's secret key."""
    keys = ClientKeys.from_secret(secret, "push")
    return (keys.server_public + keys.client.secret).decode("ascii")


def secure_server(socket: "zmq.Socket[bytes]", secret: str, channel: Channel) -> None:
    """Make ``socket`` a CURVE server, before it binds. A ``ZapHandler`` in its context says who may connect."""
    socket.curve_server = True
    socket.curve_secretkey = server_keys(secret, channel).secret


def secure_client(socket: "zmq.Socket[bytes]", keys: ClientKeys) -> None:
    """Make ``socket`` a CURVE client, before it connects."""
    socket.curve_serverkey = keys.server_public
    socket.curve_publickey = keys.client.public
    socket.curve_secretkey = keys.client.secret


def _derive(secret: str, label: str) -> KeyPair:
    digest = hmac.new(secret.encode(), f"stork {label}".encode(), hashlib.sha256).digest()
    text = z85.encode(digest)
    return KeyPair(zmq.curve_public(text), text)
