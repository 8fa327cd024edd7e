"""The limits of clients in this router process. The guard sets them, and the router keeps them."""

from collections import Counter
from typing import Any

from twisted.internet import reactor
from twisted.logger import Logger

from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits, LimitCounters
from stork_node.gate.reading import Gate
from stork_node.limits.allowance import Allowance, AllowanceOfEach
from stork_node.limits.limit_log import LimitLog
from stork_node.process_state import singleton

_log = Logger()


class ClientBounds:
    """
    Attributes:
        limits: the current limits; the defaults, until the guard has started.
        gate: reads and checks the clients' messages.
        joins, joins_of_address: how many more may join now, in all and of each address.
        counters: how often a session has reached each limit.
        messages_refused: messages that the gate refused, by case.
    """

    def __init__(self) -> None:
        self.counters = LimitCounters()
        self.messages_refused: Counter[str] = Counter()
        self.log = LimitLog()
        self.summing_up: Any = None
        self.set(DEFAULT_LIMITS)

    def set(self, limits: ClientLimits) -> None:
        """Set the limits. A router process has one guard, which calls this."""
        self.limits, self.gate = limits, Gate(limits)
        self.joins = Allowance(limits.joins_per_second, 1, reactor.seconds())
        self.joins_of_address = AllowanceOfEach(limits.joins_per_second_per_address)


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
    """``who`` has reached the limit of this name, a field of ``ClientLimits``."""
    note_other(limit, who, getattr(limits(), limit))


def note_other(limit: str, who: str, number: int) -> None:
    """``who`` has reached a limit that another component has in its settings, and that is ``number``."""
    found, text, now = bounds(), f"{who} reached limits.{limit} ({number})", reactor.seconds()
    found.counters.limited[limit] += 1
    if found.log.note(limit, text, now):
        _say(limit, text)
    if found.summing_up is None:
        found.summing_up = reactor.callLater(found.log.due(now), _sum_up)


def _sum_up() -> None:
    found, now = bounds(), reactor.seconds()
    for limit, text in found.log.summaries(now):
        _say(limit, text)
    due = found.log.due(now)
    found.summing_up = None if due is None else reactor.callLater(due, _sum_up)


def _say(limit: str, text: str) -> None:
    _log.warn("{text}", text=text, _about=limit)


def may_join(address: str | None) -> bool:
    """
    Whether one more client may join in this second; then it is counted.

    Args:
        address: None if others may share it, as behind a balancer: then it has no limit of its own.
    """
    found, now = bounds(), reactor.seconds()
    is_shared = limits().joins_per_second_per_address < limits().joins_per_second
    # First, so that an address above its limit takes nothing from the others.
    if is_shared and address is not None and not found.joins_of_address.take(address, now):
        note("joins_per_second_per_address", address)
        return False
    if found.joins.take(1, now):
        return True
    note("joins_per_second", "this node")
    return False
