"""The limits of visitors' sessions in this router process: set by the guard, looked at by the router."""

from twisted.internet import reactor
from twisted.logger import Logger

from stork_node.limits import LimitCounters, LimitReport, SessionLimits

_log = Logger()
_report = LimitReport()
_limits = SessionLimits()


def limits() -> SessionLimits:
    """Those that count now: the defaults, until the guard has started."""
    return _limits


def set_limits(limits: SessionLimits) -> None:
    global _limits  # one router process has one guard
    _limits = limits


def counters() -> LimitCounters:
    return _report.counters


def note(limit: str) -> None:
    """A session has reached the limit of this name: counted, and logged once a minute."""
    line = _report.note(limit, reactor.seconds())
    if line:
        _log.warn("sessions reached their limits: {line}", line=line)
