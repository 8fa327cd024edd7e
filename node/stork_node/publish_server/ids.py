"""Idempotency: which ids were stored lately, and where."""

from collections import deque

from stork_node.protocol.positions import Position

KEEP_S = 300.0
KEEP_IDS = 1_000_000


class RecentIds:
    """
    The ids of stored pushes with their positions, for five minutes, and a million at most.

    Time is passed in, in seconds of a clock that never goes back.
    """

    def __init__(self, keep_s: float = KEEP_S, keep_ids: int = KEEP_IDS) -> None:
        self._keep_s, self._keep_ids = keep_s, keep_ids
        self._positions: dict[str, Position] = {}
        # The oldest first. A dict has an order too, but finds its first key slowly once many were deleted.
        self._order: deque[str] = deque()
        self._ages: deque[tuple[float, int]] = deque()  # (when, how many): one entry for all ids of one time

    def __len__(self) -> int:
        return len(self._positions)

    def position(self, id: str) -> Position | None:
        """Where the push with this id was stored first, if that is remembered."""
        return self._positions.get(id)

    def remember(self, stored: list[tuple[str, Position]], now: float) -> None:
        """Take ids as seen: none of them is remembered already."""
        if not stored:
            return
        self._positions.update(stored)
        self._order.extend(id for id, _ in stored)
        self._ages.append((now, len(stored)))
        while (excess := len(self._order) - self._keep_ids) > 0:
            self._forget(min(excess, self._ages[0][1]))

    def forget_old(self, now: float) -> None:
        """Forget what was remembered longer ago than it is kept."""
        while self._ages and now - self._ages[0][0] > self._keep_s:
            self._forget(self._ages[0][1])

    def _forget(self, number: int) -> None:
        """Forget the oldest, as many as have one age at most."""
        for _ in range(number):
            del self._positions[self._order.popleft()]
        when, left = self._ages.popleft()
        if left > number:
            self._ages.appendleft((when, left - number))
