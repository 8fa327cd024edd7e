"""Calls that wait until the node has reached a position."""

import heapq
import itertools
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime

from stork_node.protocol.positions import Position


class Waiters:
    """Deferreds by the sequence that they wait for; another epoch wakes them all, and they check for themselves."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._epoch = ""
        self._heap: list[tuple[int, int, defer.Deferred[bool], Any]] = []
        self._ids = itertools.count()
        self._given_up = 0  # in the heap

    def until(self, goal: Position, within_s: float) -> "defer.Deferred[bool]":
        """Fires with True when the node may be at ``goal``, or with False after ``within_s`` seconds."""
        waiting: defer.Deferred[bool] = defer.Deferred()
        timer = self._reactor.callLater(max(0.0, within_s), self._give_up, waiting)
        self._epoch = goal.epoch
        heapq.heappush(self._heap, (goal.sequence, next(self._ids), waiting, timer))
        return waiting

    def look(self, here: Position | None) -> None:
        """The node is at ``here`` now."""
        if here is None:
            return
        is_another_epoch = here.epoch != self._epoch
        while self._heap and (is_another_epoch or self._heap[0][0] <= here.sequence):
            _, _, waiting, timer = heapq.heappop(self._heap)
            if waiting.called:
                self._given_up -= 1
            else:
                timer.cancel()
                waiting.callback(True)

    def _give_up(self, waiting: "defer.Deferred[bool]") -> None:
        # A client may name a position that no node ever reaches.
        self._given_up += 1
        if 2 * self._given_up > len(self._heap):
            self._heap = [each for each in self._heap if not each[2].called and each[2] is not waiting]
            heapq.heapify(self._heap)
            self._given_up = 0
        waiting.callback(False)

    def __len__(self) -> int:
        return len(self._heap) - self._given_up
