"""The limits of clients in this router process. The guard sets them, and the router keeps them."""

from collections import Counter

from twisted.logger import Logger

from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits, LimitCounters
from stork_node.gate.reading import Gate
from stork_node.process_state import singleton

_log = Logger()


class ClientBounds:
    """
    Attributes:
        limits: the current limits; the defaults, until the guard has started.
        gate: reads and checks the clients' messages.
        counters: how often a session has reached each limit.
        messages_refused: messages that the gate refused, by case.
    """

    def __init__(self) -> None:
        self.counters = LimitCounters()
        self.messages_refused: Counter[str] = Counter()
        self.set(DEFAULT_LIMITS)

    def set(self, limits: ClientLimits) -> None:
        """Set the limits. A router process has one guard, which calls this."""
        self.limits, self.gate = limits, Gate(limits)


def bounds() -> ClientBounds:
    """The bounds of this process."""
    return singleton(ClientBounds)


def limits() -> ClientLimits:
    """The current limits."""
    return singleton(ClientBounds).limits


def gate() -> Gate:
    """The gate that reads and checks the clients' messages."""
    return singleton(ClientBounds).gate


def note(limit: str, who: str = "a session") -> None:
    """A session has reached the limit of this name, a field of ``ClientLimits``."""
    bounds().counters.limited[limit] += 1
    _log.warn("{who} reached limits.{limit} ({number})", who=who, limit=limit, number=getattr(limits(), limit))
