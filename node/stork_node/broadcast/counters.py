"""Counters of the broadcaster since the start of its process."""

from dataclasses import dataclass

from stork_node.metrics.figures import Histogram, counter, histogram

TURN_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass
class BroadcastCounters:
    """``bytes``: an event that Crossbar writes (RawSocket, TLS) counts as its JSON frame would."""

    pushes: int = counter("Pushes that were delivered to the subscribers of this node.")
    deliveries: int = counter("Events written to connections.")
    bytes: int = counter("Bytes of these events, with their WebSocket frames.")
    slow_readers: int = counter("Connections that were cut because their client read too slowly.")
    unwritable: int = counter("Connections that were closed because an event could not be written.")
    public_pushes: int = counter("Pushes that went through Crossbar's own publish, which is slower.")
    write_seconds: Histogram = histogram(
        TURN_BOUNDS_S,
        "Time from the start of a batch until an event was handed to the operating system, for each event.",
    )
