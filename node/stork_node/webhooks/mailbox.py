"""What the server's thread hands to the thread of one webhook, in order. What has no room stays in the log."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition

from stork_node.protocol.positions import Position

MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Entries:
    """Frames of entries, and the position up to which there are no others."""

    frames: Sequence[bytes]
    position: Position


@dataclass(frozen=True)
class Start:
    """A table to begin with (``reading.Saved`` as JSON), and why."""

    saved: bytes
    reason: str


class Mailbox:
    """
    Attributes:
        position: all entries up to here were put in; None while the webhook needs a table to begin with.
        reason: why it needs one.
    """

    def __init__(self, position: Position | None, reason: str) -> None:
        self.position, self.reason = position, reason
        self._items: deque[Entries | Start] = deque()
        self._frames = self._bytes = 0
        self._changed = Condition()
        self._is_closed = False

    @property
    def has_room(self) -> bool:
        return self._bytes < MOST_BYTES

    @property
    def frames(self) -> int:
        """How many entries wait."""
        return self._frames

    def put(self, frames: Sequence[bytes], position: Position) -> None:
        """All entries up to ``position``."""
        self.position = position
        with self._changed:
            if not frames and self._items and isinstance(last := self._items[-1], Entries):
                self._items[-1] = Entries(last.frames, position)
            else:
                self._items.append(Entries(frames, position))
            self._frames += len(frames)
            self._bytes += sum(map(len, frames))
            self._changed.notify()

    def lose(self, reason: str) -> None:
        """Entries after ``position`` cannot be read any more."""
        self.position, self.reason = None, reason

    def start(self, saved: bytes, position: Position) -> None:
        """A table of this position."""
        self.position = position
        with self._changed:
            self._items.append(Start(saved, self.reason))
            self._changed.notify()

    def take(self, timeout_s: float) -> Entries | Start | None:
        """Wait for what comes next; None if nothing came, or it is closed."""
        with self._changed:
            if not self._items and not self._is_closed:
                self._changed.wait(timeout_s)
            if self._is_closed or not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, Entries):
                self._frames -= len(item.frames)
                self._bytes -= sum(map(len, item.frames))
            return item

    def close(self) -> None:
        """Wake who waits, and hand out nothing more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
