"""Settings of the publish server: the arguments of its worker in config.json, and flags of the same names."""

from dataclasses import dataclass
from typing import Any

from stork_node.settings import endpoint, seconds, setting, text

MIN_HEARTBEAT_S = 0.01


def interval(value: Any) -> float:
    """A time between two events, in seconds."""
    if (time_s := seconds(value)) < MIN_HEARTBEAT_S:
        raise ValueError(f"{value!r} is too short a time between two heartbeats (want 1 or 0.5)")
    return time_s


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
    """

    pull: str = setting(endpoint, "tcp://127.0.0.1:5555")
    router: str = setting(endpoint, "tcp://127.0.0.1:5557")
    pub: str = setting(endpoint, "tcp://127.0.0.1:5556")
    replay: str = setting(endpoint, "tcp://127.0.0.1:5558")
    secret: str = setting(text, "")
    heartbeat_s: float = setting(interval, 1.0)

    def __repr__(self) -> str:
        return f"PublishServerSettings(pull={self.pull!r}, router={self.router!r}, pub={self.pub!r})"
