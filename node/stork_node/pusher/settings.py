"""``extra`` of the component of Pusher's protocol."""

from dataclasses import dataclass
from typing import Any

from stork_node.config.settings import count, interval, seconds, section, servers, setting, text
from stork_node.pusher.app_settings import apps
from stork_node.pusher.apps import App
from stork_node.transport.endpoints import Port, local_endpoint


def _at_least_one(value: Any) -> int:
    if (number := count(value)) < 1:
        raise ValueError(f"{value!r} lets nobody do anything (want 1 or more)")
    return number


@dataclass(frozen=True)
class PusherLimits:
    """
    ``connections`` are those of this node, ``subscriptions`` those of one connection, ``subscriptions_per_address``
    those of all connections of one address. ``client_events_per_second`` is for each connection, ``pushes_per_second``
    for each key of a backend; a batch counts once for each of its events.
    """

    connections: int = setting(_at_least_one, 20_000)
    subscriptions: int = setting(_at_least_one, 1_000)
    subscriptions_per_address: int = setting(_at_least_one, 200_000)
    client_events_per_second: int = setting(_at_least_one, 10)
    client_event_bytes: int = setting(_at_least_one, 10 * 1024)
    pushes_per_second: int = setting(_at_least_one, 10_000)


def _activity(value: Any) -> float:
    if (time_s := interval(value)) < 1:
        raise ValueError(f"{value!r} is less than a second (want 30)")
    return time_s


@dataclass(frozen=True)
class PusherSettings:
    """
    ``apps`` are those of the clients and backends. ``push`` is the publish server's ROUTER, ``secret`` STORK_BUS_SECRET
    or empty; a push without an answer for ``timeout_s`` is not confirmed.

    A client that is silent for ``activity_timeout_s`` sends a ping. The node pings one that is silent for
    ``pong_timeout_s`` more, and closes it after another ``pong_timeout_s``.
    """

    apps: tuple[App, ...] = setting(apps, ())
    push: str = setting(servers, local_endpoint(Port.ROUTER))
    secret: str = setting(text, "")
    timeout_s: float = setting(seconds, 5.0)
    activity_timeout_s: float = setting(_activity, 30.0)
    pong_timeout_s: float = setting(_activity, 30.0)
    limits: PusherLimits = setting(section(PusherLimits), PusherLimits())
