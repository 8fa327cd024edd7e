"""Settings of the publish server: the arguments of its worker in config.json, and flags of the same names."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from stork_node.config.settings import count, endpoint, interval, name, seconds, setting, text
from stork_node.engines.redis.address import RedisAddress
from stork_node.protocol.push_limits import DEFAULT_DEPTH, MAX_DEPTH
from stork_node.push_log import Sync
from stork_node.transport.endpoints import Port, local_endpoint


def folder(value: Any) -> Path:
    """A path; relative to where the process was started."""
    return Path(name(value))


def word(value: Any) -> Sync:
    """When the log is forced to disk."""
    if value not in get_args(Sync):
        raise ValueError(f"{value!r} is not one of {', '.join(get_args(Sync))}")
    return value  # type: ignore[no-any-return]  # it is one of them


def engine_url(value: Any) -> str:
    """The URL of an engine; empty for the log in ``data``."""
    if text(value):
        RedisAddress.parse(value)
    return str(value)


def deployment_name(value: Any) -> str:
    """A name of letters, digits, ``_`` and ``-``; may be empty."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", text(value)):
        raise ValueError(f"{value!r} is not a name (want letters, digits, _ and -, at most 64)")
    return str(value)


def levels(value: Any) -> int:
    """How deep data may be nested."""
    number = count(value)
    if not 1 <= number <= MAX_DEPTH:
        raise ValueError(f"{value!r} is no depth of data (want 1 to {MAX_DEPTH})")
    return number


@dataclass(frozen=True)
class PublishServerSettings:
    """
    Where the publish server binds; on loopback unless told otherwise.

    Attributes:
        pull: push, not answered.
        router: push, answered.
        pub: the bus.
        replay: replay for relays.
        secret: with one, CURVE on all sockets; ``STORK_BUS_SECRET`` by convention.
        heartbeat_s: time between two heartbeats on the bus.
        data: the folder whose ``log/`` has the push log; ``STORK_DATA`` by convention.
        sync: when the log is forced to disk: each ``second``, ``always`` before an answer, or ``never``.
        retention_s: how long a push can be replayed, in seconds.
        retention_bytes: how much the log keeps.
        connections: how many each port takes at once.
        peers_bytes: how much all peers together may make the server hold, of what is not read and not answered.
        engine: the URL of a Redis that keeps the log; empty for files in ``data``; ``STORK_ENGINE`` by convention.
        deployment: who may use the keys there; empty for the name that is kept there.
        depth: how many levels of arrays and objects the data of a push may have.
        webhooks: the file that has them, such as config.json; empty for none.
    """

    pull: str = setting(endpoint, local_endpoint(Port.PULL))
    router: str = setting(endpoint, local_endpoint(Port.ROUTER))
    pub: str = setting(endpoint, local_endpoint(Port.PUB))
    replay: str = setting(endpoint, local_endpoint(Port.REPLAY))
    secret: str = setting(text, "")
    heartbeat_s: float = setting(interval, 1.0)
    data: Path = setting(folder, Path(".stork"))
    sync: Sync = setting(word, "second")
    retention_s: float = setting(seconds, 3600.0)
    retention_bytes: int = setting(count, 1 << 30)
    connections: int = setting(count, 1000)
    peers_bytes: int = setting(count, 384 << 20)
    depth: int = setting(levels, DEFAULT_DEPTH)
    engine: str = setting(engine_url, "")
    deployment: str = setting(deployment_name, "")
    webhooks: str = setting(text, "")

    def __repr__(self) -> str:
        return f"PublishServerSettings(pull={self.pull!r}, router={self.router!r}, pub={self.pub!r})"
