"""HTTP requests of all connections share a time in each turn of the reactor: many of them do not delay WebSockets."""

import time
from collections import deque
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTime

TURN_S = 0.01


class HttpTurns:
    """Does work at once while there is time in this turn, and else in one of the next, in order."""

    def __init__(self, reactor: IReactorTime = reactor, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._reactor, self._seconds = reactor, seconds
        self._waiting: deque[Callable[[], None]] = deque()
        self._left_s = TURN_S
        self._is_scheduled = False

    def do(self, work: Callable[[], None]) -> None:
        """Do ``work`` now, if no other waits and there is time."""
        if self._waiting or self._left_s <= 0:
            self._waiting.append(work)
        else:
            self._do(work)
        self._schedule()

    def do_later(self, work: Callable[[], None]) -> None:
        """Do ``work`` in one of the next turns."""
        self._waiting.append(work)
        self._schedule()

    def _do(self, work: Callable[[], None]) -> None:
        began = self._seconds()
        try:
            work()
        finally:
            self._left_s -= self._seconds() - began

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._is_scheduled = False
        self._left_s = TURN_S
        try:
            for _ in range(len(self._waiting)):  # what they add waits for the next turn
                if self._left_s <= 0:
                    break
                self._do(self._waiting.popleft())
        finally:
            if self._waiting:
                self._schedule()
