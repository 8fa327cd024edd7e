"""
Ends sessions at a date of the wall clock: a step of the clock moves their end.

One timer for all sessions reads the clock each second. So a session ends within a second of its date, after any step.
"""

import heapq
from collections.abc import Callable
from typing import Any

_LOOK_S = 1.0


class Expiries:
    """
    Args:
        reactor: runs the timer.
        wall: seconds since 1970.
        ended: called with the id of each session whose date has come.
    """

    def __init__(self, reactor: Any, wall: Callable[[], float], ended: Callable[[int], None]) -> None:
        self._reactor, self._wall, self._ended = reactor, wall, ended
        self._dates: dict[int, float] = {}
        self._queue: list[tuple[float, int]] = []
        self._timer: Any = None

    def set(self, session_id: int, date: float) -> None:
        """``date`` in seconds since 1970; a date in the past counts in the next turn of the reactor."""
        self._dates[session_id] = date
        heapq.heappush(self._queue, (date, session_id))
        if self._timer and self._queue[0] == (date, session_id):
            self._timer.cancel()
            self._timer = None
        self._wait()

    def forget(self, session_id: int) -> None:
        """Forget a session that is gone; it may have no date."""
        self._dates.pop(session_id, None)
        if len(self._queue) > 2 * len(self._dates) + 100:
            self._queue = sorted((date, each) for each, date in self._dates.items())

    def _look(self) -> None:
        self._timer = None
        now = self._wall()
        due = []
        while self._queue and self._queue[0][0] <= now:
            date, session_id = heapq.heappop(self._queue)
            if self._dates.get(session_id) == date:
                due.append(session_id)
        for session_id in due:
            if self._dates.pop(session_id, None) is not None:
                self._ended(session_id)
        self._wait()

    def _wait(self) -> None:
        if self._timer is None and self._dates:
            in_s = max(0.0, self._queue[0][0] - self._wall())
            self._timer = self._reactor.callLater(min(in_s, _LOOK_S), self._look)
