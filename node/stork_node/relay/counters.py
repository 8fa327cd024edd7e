"""What a relay has counted since it started."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class RelayCounters:
    """
    Attributes:
        followed: pushes (and erasures) that came on the bus in their turn, or replayed after a gap: events.
        replayed: pushes of pages, history and events together.
        gaps: times that the bus had lost something, which replay was asked for.
        breaks: times that replay could not give everything: every subscriber was cut.
        requests: requests for replay, repeated ones included.
        unanswered: requests for replay that were given up and repeated.
        foreign: frames of an epoch or a run that replay did not confirm.
        dropped: frames that did not fit into the buffer while a page was waited for; replay brings them.
        refused: frames and answers that are none of ours.
        recoveries: topics in answers to ``recover``, by ``recovered``, ``not_recovered``, ``asked`` (null), ``absent``;
            and whole answers by ``not_ready``, ``invalid``.
    """

    followed: int = 0
    replayed: int = 0
    gaps: int = 0
    breaks: int = 0
    requests: int = 0
    unanswered: int = 0
    foreign: int = 0
    dropped: int = 0
    refused: int = 0
    recoveries: Counter[str] = field(default_factory=Counter)
