"""What one publish server has followed: the state of nodes as of its tail, and the frames that it has to publish."""

from collections.abc import Iterator, Sequence
from typing import Any

from stork_node.engines.redis.bodies import Row, frame_of, state_entry
from stork_node.nodes.log_state import LogState
from stork_node.protocol.positions import Position
from stork_node.push_log.entries import Followed as FollowedFrames

_MOST_BYTES = 32 << 20


class Followed:
    """
    Attributes:
        state: of nodes and commands, as of ``tail``.
        tail: everything up to here was taken.
    """

    def __init__(self) -> None:
        self.tail = Position("", 0)
        self.state = LogState(self.tail)
        self._start, self._frames, self._bytes = 0, list[tuple[int, bytes]](), 0

    def load(self, epoch: str, floor: int, committed: int, snapshot: bytes | None) -> None:
        """Begin with a snapshot, if it is of this epoch; what it says of tokens counts in any."""
        state = LogState.decode(snapshot) if snapshot else None
        revoked = self.state.revoked
        if state:
            revoked.merge(state.revoked.by_user)
        if state is None or state.position.epoch != epoch or not floor <= state.position.sequence <= committed:
            awaited = self.state.awaited_next() if self.tail.epoch else None
            state = LogState(Position(epoch, floor), is_settled=False, awaited=awaited)
        state.revoked = revoked
        self.state, self.tail = state, state.position
        self._restart()

    def take(self, found: Sequence[Any], at: int) -> None:
        """Take entries that were read: numbers, kinds and bodies by turns, up to number ``at``."""
        epoch = self.tail.epoch
        for number, kind, body in _thirds(found):
            self._take(number, kind, body, epoch)
        self._end(Position(epoch, max(at, self.tail.sequence)))

    def take_own(self, numbers: Sequence[int], rows: Sequence[Row]) -> None:
        """Take entries that were appended by oneself, right after the tail."""
        epoch = self.tail.epoch
        for number, row in zip(numbers, rows, strict=True):
            self._take(number, row.kind, row.body, epoch)
        self._end(Position(epoch, numbers[-1]))

    def after(self, sequence: int) -> FollowedFrames | None:
        """The frames after a number that were taken last; None where they are not all there."""
        if sequence < self._start:
            return None
        frames = [frame for number, frame in self._frames if number > sequence]
        self._restart()
        return FollowedFrames(frames, self.tail)

    def frames(self, epoch: str, found: Sequence[Any]) -> Iterator[tuple[int, bytes]]:
        """The frames of entries that were read, by their numbers."""
        for number, kind, body in _thirds(found):
            yield number, frame_of(kind, body, Position(epoch, number))

    def _take(self, number: int, kind: int, body: bytes, epoch: str) -> None:
        if number <= self.tail.sequence:
            return
        frame = frame_of(kind, body, Position(epoch, number))
        if not frame:
            return
        entry = state_entry(kind, frame)
        if entry is not None:
            self.state.apply(entry, number)
        self._frames.append((number, frame))
        self._bytes += len(frame)

    def _end(self, tail: Position) -> None:
        self.tail = self.state.position = tail
        if self._bytes > _MOST_BYTES:
            self._restart()

    def _restart(self) -> None:
        self._start, self._frames, self._bytes = self.tail.sequence, [], 0


def _thirds(found: Sequence[Any]) -> Iterator[tuple[int, int, bytes]]:
    return zip(found[::3], found[1::3], found[2::3], strict=True)
