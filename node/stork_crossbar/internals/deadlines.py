"""Many time-outs of one length with one timer of the reactor: a join has three, and hardly any is ever reached."""

import itertools
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime


class Deadlines:
    def __init__(self, reactor: IReactorTime, after_s: float) -> None:
        self._reactor, self._after_s = reactor, after_s
        self._numbers = itertools.count()
        # In the order in which they were set, and are due.
        self._waiting: dict[int, tuple[float, Callable[[], None]]] = {}
        self._timer: Any = None

    def set(self, expired: Callable[[], None]) -> int:
        """Call ``expired`` when the time is over, unless ``cancel`` gets the returned number before."""
        number = next(self._numbers)
        self._waiting[number] = (self._reactor.seconds() + self._after_s, expired)
        if self._timer is None:
            self._timer = self._reactor.callLater(self._after_s, self._run)
        return number

    def cancel(self, number: int) -> None:
        """Cancel a time-out. It may be over, or cancelled already."""
        self._waiting.pop(number, None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        reached = [number for number, (due, _) in self._waiting.items() if due <= now]
        for number in reached:
            _, expired = self._waiting.pop(number, (0.0, _nothing))
            expired()
        if self._waiting:
            if self._timer is not None:  # for a later one that was set meanwhile
                self._timer.cancel()
            due, _ = next(iter(self._waiting.values()))
            self._timer = self._reactor.callLater(due - now, self._run)


def _nothing() -> None:
    """In place of a time-out that another one cancelled at the same moment."""
