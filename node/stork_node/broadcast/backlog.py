"""How long the bytes that wait for one reader have been waiting, and whether that is too long."""

from collections import deque
from dataclasses import dataclass

# Marks closer to each other than this are one: bytes look younger by as much, at most.
_MARK_EVERY_S = 0.25


@dataclass(frozen=True)
class ReaderLimits:
    """
    What may wait for one reader (docs/delivery.md#slow-readers).

    ``max_waiting_bytes`` of earlier turns, the oldest of them ``max_waiting_s`` seconds old.
    """

    max_waiting_bytes: int = 4 * 1024 * 1024
    max_waiting_s: float = 10.0


class Backlog:
    """
    The bytes that wait for one reader: a queue of which the ages are known, and not the bytes.

    Each look at the queue (``note``) sets a mark behind what waits; when the bytes before a mark have been sent, those
    that wait are younger than it.
    """

    __slots__ = ("_marks", "_sent", "latest")

    def __init__(self) -> None:
        self._sent = 0
        self._marks: deque[tuple[int, float]] = deque()
        self.latest = 0
        """Bytes that the latest turn has put into the queue: they are not of an earlier one."""

    def sent(self, size: int) -> None:
        """So many bytes have left the queue."""
        self._sent += size

    def note(self, waiting: int, now: float) -> None:
        """``waiting`` bytes are in the queue, at the time ``now`` (s)."""
        self._forget_sent()
        end = self._sent + waiting
        if waiting and (not self._marks or (end > self._marks[-1][0] and now - self._marks[-1][1] >= _MARK_EVERY_S)):
            self._marks.append((end, now))

    def age_s(self, now: float) -> float:
        """The age of the oldest byte that waits, at least; 0 where none does."""
        self._forget_sent()
        return now - self._marks[0][1] if self._marks else 0.0

    def excess(self, waiting: int, now: float, limits: ReaderLimits) -> str | None:
        """By how much the reader is too slow, in words; None where it is not. ``latest`` does not count."""
        earlier = waiting - self.latest
        if earlier > limits.max_waiting_bytes:
            return f"{earlier} bytes of earlier pushes are waiting"
        age_s = self.age_s(now)
        return f"bytes have been waiting for {age_s:.1f} s" if waiting and age_s > limits.max_waiting_s else None

    def _forget_sent(self) -> None:
        while self._marks and self._marks[0][0] <= self._sent:
            self._marks.popleft()
