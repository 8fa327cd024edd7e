"""What the guard has counted since it started."""

from collections import Counter
from dataclasses import dataclass

from stork_node.figures import counter, counter_by


@dataclass
class GuardCounters:
    """Cases are those of ``uris.REFUSALS``, outcomes ``allowed``, ``denied`` and ``undecided``."""

    joins: int = counter("Tickets that were accepted.")
    refusals: Counter[str] = counter_by("case", "Joins that were refused, by what the client was told.")
    subscriptions: Counter[str] = counter_by("outcome", "Questions for a subscription.")
    calls: Counter[str] = counter_by("outcome", "Questions for a call.")
    cache_hits: int = counter("Questions that a remembered verdict answered.")
    cache_misses: int = counter("Questions that the application was asked.")
