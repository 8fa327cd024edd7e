"""The settings of the drain, its maximum time, and the time of each connection's end."""

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
    ``extra`` of the drain. Times in seconds, one after the other.

    ``wait_s``: time in which ``/ready`` fails and clients are still served, for the balancer. ``spread_s``: time over
    which the connections are closed, evenly. ``finish_s``: time in which open calls may end after that.
    """

    wait_s: float = setting(seconds, 0.0)
    spread_s: float = setting(seconds, 0.0)
    finish_s: float = setting(seconds, 5.0)

    @property
    def longest_s(self) -> float:
        """The time after which the last connection is closed."""
        return self.wait_s + self.spread_s + self.finish_s


def extra_of(workers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The ``extra`` of the first drain among the components of these workers; empty if there is none."""
    for worker in workers:
        for component in worker.get("components", []):
            if component.get("classname") == COMPONENT:
                return dict(component.get("extra") or {})
    return {}


def schedule(connections: Sequence[T], spread_s: float) -> list[tuple[float, T]]:
    """
    The time to close each connection, in seconds from now: the first at once, the last shortly before ``spread_s``.
    """
    return [(spread_s * n / len(connections), connection) for n, connection in enumerate(connections)]
