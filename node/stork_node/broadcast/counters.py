"""What the broadcaster has done since the start of its process."""

from dataclasses import dataclass

from stork_node.metrics.figures import Histogram, counter, histogram

TURN_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass
class BroadcastCounters:
    """``bytes``: an event that Crossbar writes (RawSocket, TLS) counts as its JSON frame would."""

    pushes: int = counter("Pushes that were delivered to whoever is subscribed.")
    deliveries: int = counter("Events written to connections.")
    bytes: int = counter("Bytes of events, framed for WebSocket.")
    slow_readers: int = counter("Connections aborted because their reader was too slow.")
    unwritable: int = counter("Connections closed because an event could not be written to them.")
    public_pushes: int = counter("Pushes that went by Crossbar's own publish, which is slow.")
    write_seconds: Histogram = histogram(
        TURN_BOUNDS_S,
        "From the begin of a turn until an event was handed to the system, for each delivery.",
    )
