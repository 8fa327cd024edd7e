"""The limits of clients in this router process: set by the guard, kept by the router; and what was above them."""

from collections import Counter

from twisted.logger import Logger

from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits, LimitCounters
from stork_node.gate.reading import Gate
from stork_node.process_state import the

_log = Logger()


class ClientBounds:
    """
    Attributes:
        limits: those that count now: the defaults, until the guard has started.
        gate: what clients' messages are read by.
        counters: how often a session has reached each limit.
        messages_refused: messages that the gate refused, by case.
    """

    def __init__(self) -> None:
        self.counters = LimitCounters()
        self.messages_refused: Counter[str] = Counter()
        self.set(DEFAULT_LIMITS)

    def set(self, limits: ClientLimits) -> None:
        """One router process has one guard, which says what counts from now on."""
        self.limits, self.gate = limits, Gate(limits)


def bounds() -> ClientBounds:
    """This process's."""
    return the(ClientBounds)


def limits() -> ClientLimits:
    """Those that count now."""
    return the(ClientBounds).limits


def gate() -> Gate:
    """What clients' messages are read by."""
    return the(ClientBounds).gate


def note(limit: str) -> None:
    """A session has reached the limit of this name."""
    bounds().counters.limited[limit] += 1
    _log.warn("a session reached its limit of {limit}", limit=limit.replace("_", " "))
