"""Calls from other threads on the reactor's thread, with one wake-up for all calls before the reactor looks."""

import threading
from collections.abc import Callable
from typing import Any


class FromThreads:
    """
    Args:
        reactor: has ``callFromThread``.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._lock = threading.Lock()
        self._calls: list[Callable[[], None]] = []

    def call(self, function: Callable[[], None]) -> None:
        """Call ``function`` on the reactor's thread, soon, after those of earlier calls. It must not raise."""
        with self._lock:
            self._calls.append(function)
            is_first = len(self._calls) == 1
        if is_first:
            self._reactor.callFromThread(self._run)

    def _run(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, []
        for function in calls:
            function()
