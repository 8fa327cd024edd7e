"""What the broadcaster has done since the start of its process, for metrics."""

from bisect import bisect_left
from dataclasses import dataclass, field

TURN_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass
class Histogram:
    """``counts[i]`` observations are at most ``bounds[i]``, and above the bound before; the last are above all."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times


@dataclass
class BroadcastCounters:
    """
    Pushes given to the broadcaster, EVENTs written and their bytes, and what went wrong.

    ``bytes`` is what was framed for WebSockets; an event that Crossbar writes (RawSocket, TLS) counts as its JSON frame
    would. ``write_seconds`` is the time from the begin of a turn until each of its deliveries was handed to the system,
    counted for each delivery.
    """

    pushes: int = 0
    deliveries: int = 0
    bytes: int = 0
    slow_readers: int = 0
    """Connections that were aborted because their reader was too slow."""
    unwritable: int = 0
    """Connections that were closed because an event could not be written to them."""
    public_pushes: int = 0
    """Pushes that went by Crossbar's public ``publish``."""
    write_seconds: Histogram = field(default_factory=lambda: Histogram(TURN_BOUNDS_S))
