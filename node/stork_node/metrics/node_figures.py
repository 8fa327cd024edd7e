"""Figures that are computed at each scrape of ``/metrics``, and those that the application process reports."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stork_node.metrics.figures import Histogram, counter, gauge, gauge_by, histogram_by

_observing = threading.Lock()
HANDLER_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass
class NodeFigures:
    """The state of a node as a whole."""

    ready: int = gauge("1 while /ready says ready or degraded, 0 while it says not ready.")
    degraded: int = gauge("1 while /ready says degraded: a problem that all nodes share.")
    sessions: dict[str, int] = gauge_by(
        "role", "Sessions that have joined, by role. The node's own components count too."
    )
    subscriptions: int = gauge("Subscriptions of all sessions. A session with three subscriptions counts three times.")


@dataclass
class RelayState:
    """The state of a relay."""

    lag_seconds: float = gauge(
        "How far the node is behind. Time since it requested missed pushes, or since the last sign of the publish "
        "server (from 3 s on); else the travel time of the last heartbeat."
    )
    heard_seconds: float = gauge("Time since anything came from the publish server.")
    position: int = gauge("Sequence number of the last push that the relay has taken.")
    caught_up: int = gauge("1 while the node has caught up with the publish server, and answers recover.")
    attached: int = gauge("1 while the publish server knows the node, and waits for it when a command is given.")
    history_bytes: int = gauge("Memory of the histories, from which recover is answered.")
    history_topics: int = gauge("Topics that have a history.")
    online_users: int = gauge("Users who are online on all nodes, counted once for each topic.")
    online_topics: int = gauge("Topics with users who are online.")
    online_here: int = gauge("Of these users, those that this node has; counted once for each topic.")
    online_unsaid: int = gauge("Changes of users of this node that the log does not have yet.")


@dataclass
class PresenceFigures:
    """Who is online, as this node knows it."""

    online_users: dict[str, int] = gauge_by(
        "feed", "Users who are online on all nodes, by feed; counted once for each topic."
    )
    changes: int = counter("Users who have come online, or gone offline, in a topic.")
    entries: int = counter("Entries of the log about users that this node has read.")


@dataclass
class GuardState:
    """The state of a guard."""

    cache_entries: int = gauge("Permissions that the guard remembers.")
    pending_joins: int = gauge("Joins that wait for an answer of the application.")


@dataclass
class ApplicationFigures:
    """Figures of an application process since its start; ``as_json`` is its report to the router process."""

    user_code_seconds: dict[str, Histogram] = histogram_by("kind", "Run time of the application's handlers, by kind.")

    def observe(self, kind: str, seconds: float) -> None:
        """A handler of this kind has ended, in any thread."""
        with _observing:
            if kind not in self.user_code_seconds:
                self.user_code_seconds[kind] = Histogram(HANDLER_BOUNDS_S)
            self.user_code_seconds[kind].observe(seconds)

    def as_json(self) -> dict[str, Any]:
        return {kind: histogram.as_json() for kind, histogram in self.user_code_seconds.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ApplicationFigures":
        return cls({kind: Histogram.from_json(histogram) for kind, histogram in value.items()})
