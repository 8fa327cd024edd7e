"""
The times of this project, and the only place that reads a wall clock: ``tests/unit/test_clock.py`` looks for others.

Time-outs, pauses and ages use ``time.monotonic``, or the clocks here that follow it. A wall clock may be set at any
moment; it is for people, other machines, and ends that are given as a date.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

LONGEST_TURN_S = 3.0
"""A longer gap between two readings of the clock counts as a standstill: SIGSTOP, a debugger, a starved machine."""


def wall() -> float:
    """Seconds since 1970, by the machine's clock."""
    return time.time()


def utc_now() -> datetime:
    """The date and time in UTC, by the machine's clock."""
    return datetime.now(UTC)


def local_now() -> datetime:
    """The user's local date and time, by the machine's clock."""
    return datetime.now()


class SteadyWall:
    """
    Seconds since 1970, by the wall clock at the time when it was made: later steps of that clock change nothing.

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
    As ``clock``, without standstills of this process: of a gap between two calls, at most ``longest_turn_s`` count.

    So the time-out for an answer does not pass while this process could not read the answer. It must be called more
    often than each ``longest_turn_s``. It is thread-safe.
    """

    def __init__(self, clock: Callable[[], float], longest_turn_s: float = LONGEST_TURN_S) -> None:
        self._clock, self._longest_turn_s = clock, longest_turn_s
        self._before, self._lost_s = clock(), 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        now = self._clock()
        if now - self._before > self._longest_turn_s:
            with self._lock:
                # Another thread may have advanced it meanwhile.
                self._lost_s += max(0.0, now - self._before - self._longest_turn_s)
                self._before = max(now, self._before)
        else:
            self._before = now
        return now - self._lost_s


class SuspendAwareClock:
    """
    Seconds in which a process ran. Time in which it was stopped (SIGSTOP), or its machine was asleep, does not count.

    Its owner's loop advances it at each turn. Of a gap between two turns, at most ``longest_turn_s`` count.

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
