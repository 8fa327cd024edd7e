"""The limits of clients in this router process: set by the guard, kept by the router; and what was above them."""

from collections import Counter

from twisted.logger import Logger

from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits, LimitCounters
from stork_node.gate.reading import Gate

counters = LimitCounters()
messages_refused: Counter[str] = Counter()
"""Messages that the gate refused, by case."""

_log = Logger()
_limits = DEFAULT_LIMITS
_gate = Gate(DEFAULT_LIMITS)


def limits() -> ClientLimits:
    """Those that count now: the defaults, until the guard has started."""
    return _limits


def gate() -> Gate:
    """What clients' messages are read by."""
    return _gate


def set_limits(limits: ClientLimits) -> None:
    global _limits, _gate  # one router process has one guard
    _limits, _gate = limits, Gate(limits)


def note(limit: str) -> None:
    """A session has reached the limit of this name."""
    counters.limited[limit] += 1
    _log.warn("a session reached its limit of {limit}", limit=limit.replace("_", " "))
