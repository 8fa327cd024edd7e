"""Reading for replay: pages of frames from any sequence on."""

import os
from collections.abc import Iterator

from msgspec import Struct

from stork_node.push_log.errors import CorruptLog
from stork_node.push_log.segment_files.records import HEAD_BYTES, SEAL, BadRecord, decode_record, record_bytes
from stork_node.push_log.segment_files.segments import Segment

_STRIDE_BYTES = 256 << 10


class Page(Struct, frozen=True):
    """
    Pushes that follow each other.

    Attributes:
        after: sequence before the first of them.
        frames: as published, in order; None for a push whose frame is not kept (``store: false``) or was erased.
    """

    after: int
    frames: list[bytes | None]

    @property
    def last(self) -> int:
        """Sequence of the last of them; ``after`` where there are none."""
        return self.after + len(self.frames)

    def numbered(self) -> Iterator[tuple[int, bytes | None]]:
        """Each frame with its sequence."""
        return enumerate(self.frames, self.after + 1)


def read_page(segment: Segment, after: int, max_bytes: int) -> Page:
    """
    Read pushes of one segment: at least one, and no more than fit into ``max_bytes`` with their heads.

    Args:
        after: at least ``segment.header.first - 1``, less than ``segment.last``.

    Raises:
        CorruptLog: damaged, or not there any more.
    """
    try:
        fd = os.open(segment.path, os.O_RDONLY)
    except OSError as error:
        raise CorruptLog(segment.path, 0, f"it cannot be read: {error.strerror}") from None
    try:
        offset = _find(segment, fd, after + 1)
        frames, end = _frames(segment, fd, offset, after, max_bytes)
        segment.note_offset(after + len(frames) + 1, end)  # the next page begins there
        return Page(after, frames)
    except OSError as error:
        raise CorruptLog(segment.path, 0, f"it cannot be read: {error.strerror}") from None
    finally:
        os.close(fd)


def _find(segment: Segment, fd: int, wanted: int) -> int:
    """The offset of push ``wanted``; on the way, places are remembered."""
    sequence, offset = segment.offset_before(wanted)
    data, base = b"", offset
    while sequence < wanted:
        if offset + HEAD_BYTES > base + len(data):
            data, base = os.pread(fd, min(_STRIDE_BYTES, segment.size - offset), offset), offset
            if len(data) < HEAD_BYTES:
                raise CorruptLog(segment.path, offset, "the file ends too early")
        try:
            offset += record_bytes(data, offset - base)
        except BadRecord as bad:
            raise CorruptLog(segment.path, offset, str(bad)) from None
        sequence += 1
        segment.note_offset(sequence, offset)
    return offset


def _frames(segment: Segment, fd: int, start: int, after: int, max_bytes: int) -> tuple[list[bytes | None], int]:
    """The frames of a page that begins at offset ``start``, and the offset of its end."""
    data = os.pread(fd, min(max(max_bytes, HEAD_BYTES), segment.size - start), start)
    frames: list[bytes | None] = []
    offset, sequence = 0, after
    try:
        if len(data) >= HEAD_BYTES and (whole := record_bytes(data, 0)) > len(data):
            data = os.pread(fd, whole, start)
        while (record := decode_record(data, offset)) and record.kind != SEAL:
            sequence += 1
            if record.sequence != sequence:
                raise BadRecord(f"push {record.sequence} is where {sequence} should be")
            frames.append(record.frame or None)
            offset = record.end
    except BadRecord as bad:
        raise CorruptLog(segment.path, start + offset, str(bad)) from None
    if not frames:
        raise CorruptLog(segment.path, start, "the file ends too early")
    return frames, start + offset
