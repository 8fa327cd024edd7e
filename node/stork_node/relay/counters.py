"""What a relay has counted since it started."""

from collections import Counter
from dataclasses import dataclass

from stork_node.metrics.figures import Histogram, counter, counter_by, histogram

_DELIVERY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ANSWERS = ("recovered", "not_recovered", "asked", "absent", "not_ready")


@dataclass
class RelayCounters:
    """``recoveries`` counts topics, and for ``not_ready`` whole answers."""

    followed: int = counter("Pushes and erasures that came on the bus in their turn, or by replay after a gap.")
    replayed: int = counter("Pushes of pages of replay, history and events together.")
    gaps: int = counter("Times that the bus had lost something, which replay was asked for.")
    breaks: int = counter("Times that replay could not give everything: every subscriber was cut.")
    requests: int = counter("Requests for replay, repeated ones included.")
    unanswered: int = counter("Requests for replay that were given up and repeated.")
    foreign: int = counter("Frames of an epoch or a run that replay did not confirm.")
    dropped: int = counter("Frames that did not fit into the buffer while a page was waited for; replay brings them.")
    refused: int = counter("Frames and answers that are none of ours.")
    recoveries: Counter[str] = counter_by("answer", "Topics in answers to recover.", _ANSWERS)
    delivery_seconds: Histogram = histogram(
        _DELIVERY_BOUNDS_S,
        "From the timestamp of a push (its arrival at the publish server, unless the pusher gave another) until it was "
        "written to this node's subscribers: one push of each turn.",
    )
