"""The chain of segments: old ones that only are read, and the newest, which is written."""

from bisect import bisect_right
from pathlib import Path

from stork_node.protocol.positions import Position
from stork_node.push_log.segment_files.headers import Header, Origin
from stork_node.push_log.segment_files.segment_writer import SegmentWriter, create_segment, reopen_segment
from stork_node.push_log.segment_files.segments import Segment


class Chain:
    """
    The segments of one log, oldest first, without a gap; the newest has a writer unless it is sealed.

    Every method that writes may raise ``OSError``, and may be called again then.

    Args:
        segments: as ``recovery.check_all`` left them.
        origin: of what is going to be written; the epoch is the one of all new numbers.
        segment_bytes: how large a segment gets, unless a single batch is larger.
    """

    def __init__(self, folder: Path, segments: list[Segment], origin: Origin, segment_bytes: int) -> None:
        self.segments, self.origin = segments, origin
        self._folder, self._segment_bytes = folder, segment_bytes
        self.writer: SegmentWriter | None = None
        if segments and not segments[-1].seal:
            self.writer = reopen_segment(segments[-1], self._sync_each)

    @property
    def tail(self) -> Position:
        """The last number given, with the epoch of the next."""
        return Position(self.origin.epoch, self.segments[-1].last if self.segments else 0)

    @property
    def floor(self) -> int:
        """The number before the first of this epoch that is still there."""
        floor = self.tail.sequence
        for segment in reversed(self.segments):
            if segment.header.origin.epoch != self.origin.epoch:
                break
            floor = segment.header.first - 1
        return floor

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(segment.size for segment in self.segments)

    def holding(self, sequence: int) -> Segment:
        """The segment that has a push; not one before the oldest, or after the tail."""
        return self.segments[bisect_right(self.segments, sequence, key=lambda segment: segment.header.first) - 1]

    def writer_for(self, batch_bytes: int, now_ms: int) -> SegmentWriter:
        """Who writes a batch of this size: to the newest segment, or to one that is begun for it."""
        if self.writer and self.writer.segment.header.origin == self.origin:
            segment = self.writer.segment
            if segment.is_empty or segment.size + batch_bytes <= self._segment_bytes:
                return self.writer
        return self.roll(now_ms)

    def roll(self, now_ms: int) -> SegmentWriter:
        """End the newest segment, and begin the next; an empty one is replaced."""
        if self.writer:
            self._seal(closed=False)
        kept = self.segments
        previous = None
        if kept:
            previous = kept[-1].header.first
            if kept[-1].is_empty:
                previous, kept = kept[-1].header.previous, kept[:-1]
        header = Header(self.tail.sequence + 1, previous, now_ms, self.origin)
        self.writer = create_segment(self._folder, header, self._sync_each)
        self.segments[len(kept) :] = [self.writer.segment]
        return self.writer

    def drop_oldest(self) -> None:
        """Delete the oldest segment."""
        self.segments[0].path.unlink(missing_ok=True)
        del self.segments[0]

    def close(self, now_ms: int) -> None:
        """End the log so that its epoch goes on; ``abandon`` is still needed."""
        newest = self.segments[-1] if self.segments else None
        if newest and newest.seal and newest.seal.closed and newest.header.origin.epoch == self.origin.epoch:
            return
        if not self.writer or self.writer.segment.header.origin.epoch != self.origin.epoch:
            self.roll(now_ms)
        self._seal(closed=True)

    def abandon(self) -> None:
        """Close the file that is written, as it is."""
        if self.writer:
            self.writer.close()
            self.writer = None

    @property
    def _sync_each(self) -> bool:
        return self.origin.sync == "always"

    def _seal(self, closed: bool) -> None:
        if self.writer:
            self.writer.seal(closed)
            self.abandon()
