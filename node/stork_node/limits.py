"""What one visitor's session may have at a time, and how often it wanted more."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from stork_node import settings
from stork_node.errors import ConfigError
from stork_node.figures import counter_by
from stork_node.settings import count, setting

REFUSED = ("subscriptions", "calls_in_flight")
HELD = ("questions", "recoveries", "waiting_bytes")


def _at_least_one(value: Any) -> int:
    if (number := count(value)) < 1:
        raise ValueError(f"{value!r} lets a session do nothing (want 1 or more)")
    return number


@dataclass(frozen=True)
class SessionLimits:
    """
    ``limits`` of the guard. Requests above ``REFUSED`` are refused; above ``HELD`` a session is not read for a while.

    Backends have no limits. ``messages_a_turn``: frames that are read before other connections are looked at.
    """

    subscriptions: int = setting(_at_least_one, 1_000)
    calls_in_flight: int = setting(_at_least_one, 32)
    questions: int = setting(_at_least_one, 100)
    recoveries: int = setting(_at_least_one, 8)
    waiting_bytes: int = setting(_at_least_one, 256 * 1024)
    messages_a_turn: int = setting(_at_least_one, 8)


def session_limits(value: Any) -> SessionLimits:
    """
    Parse the setting: ``{"subscriptions": 1000, "calls_in_flight": 32}``.

    Raises:
        ValueError: all that is wrong with it, each named.
    """
    if not isinstance(value, dict):
        raise ValueError(f'{value!r} is not an object (want {{"subscriptions": 1000}})')
    try:
        return settings.read(SessionLimits, value, {})
    except ConfigError as error:
        raise ValueError("; ".join(f"{problem.path}: {problem.text}" for problem in error.problems)) from None


@dataclass
class LimitCounters:
    """Of one node."""

    limited: Counter[str] = counter_by(
        "limit", "Times that a session reached a limit: a refused request, or a pause in reading.", REFUSED + HELD
    )


class LimitReport:
    """Counts, and has one line for the log now and then, whatever the number of refusals."""

    def __init__(self, every_s: float = 60.0) -> None:
        self.counters = LimitCounters()
        self._every_s, self._said_at = every_s, -float("inf")
        self._unsaid: Counter[str] = Counter()

    def note(self, limit: str, now: float) -> str | None:
        """A session reached ``limit`` at the time ``now`` (s). Returns the line to log, or None."""
        self.counters.limited[limit] += 1
        self._unsaid[limit] += 1
        if now - self._said_at < self._every_s:
            return None
        line = ", ".join(f"{name} {times} times" for name, times in sorted(self._unsaid.items()))
        self._said_at = now
        self._unsaid.clear()
        return line
