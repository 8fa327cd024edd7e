"""How a node drains: its settings, how long that may take, and when each connection is closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from stork_node.config.settings import seconds, setting

T = TypeVar("T")

COMPONENT = "stork_components.drain.Drain"
"""The class of the component in config.json whose ``extra`` has the settings."""


@dataclass(frozen=True)
class DrainSettings:
    """
    ``extra`` of the drain. Times in seconds, each after the one before it.

    ``wait_s``: ``/ready`` fails, and everybody is still served, until the balancer has seen it. ``spread_s``: in which
    the connections are closed, evenly. ``finish_s``: what calls in flight get beyond that.
    """

    wait_s: float = setting(seconds, 0.0)
    spread_s: float = setting(seconds, 0.0)
    finish_s: float = setting(seconds, 5.0)

    @property
    def longest_s(self) -> float:
        """By then the last connection is closed."""
        return self.wait_s + self.spread_s + self.finish_s


def extra_of(workers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The ``extra`` of the first drain among the components of these workers; empty where there is none."""
    for worker in workers:
        for component in worker.get("components", []):
            if component.get("classname") == COMPONENT:
                return dict(component.get("extra") or {})
    return {}


def schedule(connections: Sequence[T], spread_s: float) -> list[tuple[float, T]]:
    """When to close each, in seconds from now: the first at once, the last shortly before ``spread_s``."""
    return [(spread_s * n / len(connections), connection) for n, connection in enumerate(connections)]
