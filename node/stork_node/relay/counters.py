"""Counters of a relay since its start."""

from collections import Counter
from dataclasses import dataclass

from stork_node.metrics.figures import Histogram, counter, counter_by, histogram

_DELIVERY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ANSWERS = ("recovered", "not_recovered", "asked", "absent", "not_ready")


@dataclass
class RelayCounters:
    """``recoveries`` counts topics, and for ``not_ready`` whole answers."""

    followed: int = counter(
        "Pushes and erasures that the relay has followed: from the bus in order, or by replay after a gap."
    )
    replayed: int = counter("Pushes that came by replay, for the history or as events.")
    commands: int = counter("Commands that the node has obeyed.")
    gaps: int = counter("Gaps on the bus: the relay requested the missed pushes.")
    breaks: int = counter("Breaks: replay could not give all missed pushes, and every subscriber was closed.")
    requests: int = counter("Requests for replay. Repeated requests count too.")
    unanswered: int = counter("Requests for replay that got no answer in time, and were repeated.")
    foreign: int = counter("Frames of an epoch or run that replay did not confirm: maybe of a second publish server.")
    dropped: int = counter(
        "Frames that did not fit into the buffer while the relay waited for a page. Replay brings them later."
    )
    refused: int = counter("Frames and answers that the relay could not read.")
    recoveries: Counter[str] = counter_by("answer", "Topics in answers to recover.", _ANSWERS)
    delivery_seconds: Histogram = histogram(
        _DELIVERY_BOUNDS_S,
        "Time from a push's timestamp (its arrival at the publish server by default) until it was written to this "
        "node's subscribers. One push of each batch counts.",
    )
