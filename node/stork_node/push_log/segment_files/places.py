"""Where replay begins for who has nothing yet: not further back than is of use, and found without reading it all."""

import os
from collections.abc import Sequence
from contextlib import suppress

from stork_node.push_log.segment_files.records import find_head
from stork_node.push_log.segment_files.segments import Segment

_GRAIN_BYTES = 64 << 10


def place_before(segments: Sequence[Segment], since_ms: int, max_bytes: int) -> int | None:
    """
    The sequence before the oldest push that is not older than ``since_ms``, and has at most ``max_bytes`` after it.

    Args:
        segments: of one epoch, oldest first.
        since_ms: since 1970.

    Returns:
        A sequence that may be some pushes too low, ``_GRAIN_BYTES`` of them; None where all pushes are of use.
    """
    left = max_bytes
    for segment in reversed(segments):
        if segment.is_empty:
            continue
        if segment.newest_ms < since_ms or left <= 0:
            return segment.last
        start = max(segment.header_bytes, segment.size - left)
        if start > segment.header_bytes or segment.oldest_ms < since_ms:
            return _first_since(segment, start, since_ms) - 1
        left -= segment.size - segment.header_bytes
    return None


def _first_since(segment: Segment, start: int, since_ms: int) -> int:
    """The sequence of the first push since then that begins at ``start`` or later; or of one before it."""
    first = segment.header.first
    with suppress(OSError), segment.path.open("rb") as file:
        fd, low, high = file.fileno(), start, segment.size
        found = _next_head(segment, fd, low)
        if found is None:
            return segment.last + 1
        first = found[1]
        while found[2] < since_ms and high - low > _GRAIN_BYTES:
            middle = (low + high) // 2
            head = _next_head(segment, fd, middle)
            if head is None or head[2] >= since_ms:
                high = middle
            else:
                low, first, _ = head
    return first


def _next_head(segment: Segment, fd: int, offset: int) -> tuple[int, int, int] | None:
    """The next push from ``offset`` on: its offset, sequence and time; None where there is none."""
    sequences = range(segment.header.first, segment.last + 1)
    data = b""
    # A push has up to 1 MiB, so that its end, and the next one, may be that far away.
    while offset + len(data) < segment.size:
        more = os.pread(fd, min(_GRAIN_BYTES, segment.size - offset - len(data)), offset + len(data))
        if not more:
            break
        data += more
        if head := find_head(data, 0, sequences):
            return offset + head[0], head[1], head[2]
    return None
