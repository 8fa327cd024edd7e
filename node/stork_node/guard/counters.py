"""Counters of the guard since its start."""

from collections import Counter
from dataclasses import dataclass

from stork_node.metrics.figures import counter, counter_by
from stork_node.protocol import uris

MESSAGE_CASES = ("too_big", "unreadable", "protocol")
OUTCOMES = ("allowed", "denied", "undecided")


@dataclass
class GuardCounters:
    """``case`` is a key of ``uris.REFUSALS``, ``outcome`` one of ``OUTCOMES``."""

    joins: int = counter("Tickets that were accepted.")
    refusals: Counter[str] = counter_by(
        "case", "Joins that were refused, by the reason that the client gets.", uris.REFUSALS
    )
    subscriptions: Counter[str] = counter_by("outcome", "Subscriptions that were decided, by outcome.", OUTCOMES)
    calls: Counter[str] = counter_by("outcome", "Calls that were decided, by outcome.", OUTCOMES)
    messages_refused: Counter[str] = counter_by(
        "case", "Messages that the gate refused. Each closes its connection.", MESSAGE_CASES
    )
    cache_hits: int = counter("Decisions that the guard remembered.")
    cache_misses: int = counter("Decisions for which the application was asked.")
