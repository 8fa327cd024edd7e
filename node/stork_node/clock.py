"""
The times of this project, and the only place that reads a wall clock: ``tests/unit/test_clock.py`` looks for others.

Time-outs, pauses and ages use ``time.monotonic``, or what is built on it here. A wall clock may be set at any moment;
it is for what people and other machines read, and for an end that is given as a date.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

LONGEST_TURN_S = 3.0
"""What is longer between two looks at the clock was a standstill: SIGSTOP, a debugger, a starved machine."""


def wall() -> float:
    """Seconds since 1970, as the machine's clock says now."""
    return time.time()


def utc_now() -> datetime:
    """The date and time in UTC, as the machine's clock says now."""
    return datetime.now(UTC)


def local_now() -> datetime:
    """The date and time where the user is, as the machine's clock says now."""
    return datetime.now()


class SteadyWall:
    """
    Seconds since 1970, by the wall clock of the moment when it was made: later steps of that clock change nothing.

    Args:
        monotonic: a clock that never goes back.
        start: its first value.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, start: float | None = None) -> None:
        self._monotonic = monotonic
        self._offset = (wall() if start is None else start) - monotonic()

    def __call__(self) -> float:
        return self._monotonic() + self._offset


class AwakeTime:
    """
    As ``clock``, without this process's own standstills: of a gap between two calls, ``longest_turn_s`` count at most.

    A time-out of somebody else's answer then does not pass while this process could not have read the answer. Whoever
    uses it must call it more often than ``longest_turn_s``. From any thread.
    """

    def __init__(self, clock: Callable[[], float], longest_turn_s: float = LONGEST_TURN_S) -> None:
        self._clock, self._longest_turn_s = clock, longest_turn_s
        self._before, self._lost_s = clock(), 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        now = self._clock()
        if now - self._before > self._longest_turn_s:
            with self._lock:
                # Another thread may have been here meanwhile.
                self._lost_s += max(0.0, now - self._before - self._longest_turn_s)
                self._before = max(now, self._before)
        else:
            self._before = now
        return now - self._lost_s


class SuspendAwareClock:
    """
    Seconds in which a process ran. Time for which it was stopped (SIGSTOP), or its machine asleep, does not count.

    Its owner's loop tells the time at each turn. Of a gap between two turns, ``longest_turn_s`` count at most.

    Args:
        now: of a clock that never goes back, as for ``advance``.

    Attributes:
        now: this clock's time, in seconds since it was made.
    """

    def __init__(self, longest_turn_s: float, now: float) -> None:
        self._longest_turn_s, self._before = longest_turn_s, now
        self.now = 0.0

    def advance(self, now: float) -> float:
        """Take the time ``now`` of the other clock; returns this clock's."""
        self.now += min(now - self._before, self._longest_turn_s)
        self._before = now
        return self.now
