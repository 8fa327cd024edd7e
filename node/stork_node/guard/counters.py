"""What the guard has counted since it started."""

from collections import Counter
from dataclasses import dataclass

from stork_node.metrics.figures import counter, counter_by
from stork_node.protocol import uris

MESSAGE_CASES = ("too_big", "unreadable", "protocol")
OUTCOMES = ("allowed", "denied", "undecided")


@dataclass
class GuardCounters:
    """Cases are those of ``uris.REFUSALS``, outcomes ``OUTCOMES``."""

    joins: int = counter("Tickets that were accepted.")
    refusals: Counter[str] = counter_by("case", "Joins that were refused, by what the client was told.", uris.REFUSALS)
    subscriptions: Counter[str] = counter_by("outcome", "Questions for a subscription.", OUTCOMES)
    calls: Counter[str] = counter_by("outcome", "Questions for a call.", OUTCOMES)
    messages_refused: Counter[str] = counter_by(
        "case", "Messages of clients that the gate refused, with their connections.", MESSAGE_CASES
    )
    cache_hits: int = counter("Questions that a remembered verdict answered.")
    cache_misses: int = counter("Questions that the application was asked.")
