"""Figures that are looked up when ``/metrics`` is asked for, and those that other processes tell of themselves."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stork_node.metrics.figures import Histogram, gauge, gauge_by, histogram_by

_observing = threading.Lock()
HANDLER_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass
class NodeFigures:
    """Of a node as a whole, now."""

    ready: int = gauge("What /ready says: 1 for ready and degraded, 0 for not ready.")
    degraded: int = gauge("1 while /ready says degraded: a trouble that all nodes share.")
    sessions: dict[str, int] = gauge_by("role", "Sessions that have joined, the node's own components among them.")
    subscriptions: int = gauge("Subscriptions of all sessions: one that has three counts three times.")


@dataclass
class RelayState:
    """Of a relay, now."""

    lag_seconds: float = gauge(
        "How far the node is behind: since it asked for what is missing, since it has heard nothing (from 3 s on), or "
        "else the way of the last heartbeat."
    )
    heard_seconds: float = gauge("Since anything came from the publish server.")
    position: int = gauge("Sequence of the last push that was followed.")
    caught_up: int = gauge("1 when the node has had what the publish server has, so that recover is answered.")
    history_bytes: int = gauge("Memory of the histories that recover answers from.")
    history_topics: int = gauge("Topics in the histories.")


@dataclass
class GuardState:
    """Of a guard, now."""

    cache_entries: int = gauge("Verdicts that are remembered.")
    pending_joins: int = gauge("Joins that wait for the application's answer.")


@dataclass
class ApplicationFigures:
    """Of an application process since its start; ``as_json`` is what it tells the router process."""

    user_code_seconds: dict[str, Histogram] = histogram_by("kind", "How long handlers of the application took.")

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
