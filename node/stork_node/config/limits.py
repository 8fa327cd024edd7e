"""Limits for one client, and how often clients reached them."""

from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import Any

from stork_node.config.settings import count, setting
from stork_node.metrics.figures import counter_by

REFUSED = ("subscriptions", "calls_in_flight", "calls_per_second")
TURNED_AWAY = (
    "connections",
    "connections_per_address",
    "joins_per_second",
    "joins_per_second_per_address",
    "sessions_per_user",
)
TOO_BIG = ("message_bytes", "handshake_bytes")
GAVE_WAY = ("unjoined_connections", "descriptors")
HELD = ("questions", "recoveries", "waiting_bytes")
OF_OTHERS = ("pushes_per_second", "client_events_per_second", "subscriptions_per_address")
"""Limits of the HTTP API and of Pusher's protocol, which have them in their settings."""


def share_of_one(most: int) -> int:
    """What one address may have of ``most`` for a whole node: four fifths, so that it leaves some to the others."""
    return ceil(0.8 * most)


def _at_least_one(value: Any) -> int:
    if (number := count(value)) < 1:
        raise ValueError(f"{value!r} lets a client do nothing (want 1 or more)")
    return number


@dataclass(frozen=True)
class ClientLimits:
    """
    ``limits`` of the guard. Backends have no such limits.

    A message before joining has at most ``handshake_bytes`` and ``handshake_elements`` (values, keys, lists and maps
    together); a visitor's message ``message_bytes`` and ``message_elements``. Above them the connection is closed. A
    session's requests above ``REFUSED`` are refused; above ``HELD`` its reading pauses. ``messages_a_turn``: maximum of
    frames of one connection before the others come.

    ``connections`` (WebSockets and RawSockets of clients) and ``joins_per_second`` are those of a node,
    ``connections_per_address``, ``joins_per_second_per_address`` and ``unjoined_connections`` of one address,
    ``sessions_per_user`` of an authid. One address has four fifths of a node's joins by default. Clients above
    ``TURNED_AWAY`` are closed with 1013, Pusher clients with 4100. Above ``unjoined_connections`` the connection that
    has waited longest for its next step is closed.
    """

    handshake_bytes: int = setting(_at_least_one, 64 * 1024)
    handshake_elements: int = setting(_at_least_one, 1_000)
    message_bytes: int = setting(_at_least_one, 256 * 1024)
    message_elements: int = setting(_at_least_one, 20_000)
    subscriptions: int = setting(_at_least_one, 1_000)
    calls_in_flight: int = setting(_at_least_one, 32)
    calls_per_second: int = setting(_at_least_one, 50)
    questions: int = setting(_at_least_one, 100)
    recoveries: int = setting(_at_least_one, 8)
    waiting_bytes: int = setting(_at_least_one, 256 * 1024)
    messages_a_turn: int = setting(_at_least_one, 8)
    connections: int = setting(_at_least_one, 20_000)
    connections_per_address: int = setting(_at_least_one, 1_000)
    unjoined_connections: int = setting(_at_least_one, 1_000)
    joins_per_second: int = setting(_at_least_one, 500)
    joins_per_second_per_address: int = setting(count, 0)
    sessions_per_user: int = setting(_at_least_one, 1_000)

    def __post_init__(self) -> None:
        if not self.joins_per_second_per_address:
            object.__setattr__(self, "joins_per_second_per_address", share_of_one(self.joins_per_second))


DEFAULT_LIMITS = ClientLimits()


@dataclass
class LimitCounters:
    """Counters of one node."""

    limited: Counter[str] = counter_by(
        "limit",
        "Limits that a client or a key reached: a request was refused, reading paused, or the connection ended.",
        REFUSED + HELD + TURNED_AWAY + TOO_BIG + GAVE_WAY + OF_OTHERS,
    )
