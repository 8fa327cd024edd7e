"""Retention: which segments have to go."""

from collections.abc import Sequence

from stork_node.push_log.segment_files.segments import Segment

PARTS = 10
"""A segment takes pushes for a tenth of the retention time, so that none stays for more than a tenth too long."""


def expired(segments: Sequence[Segment], now_ms: int, retention_ms: float, retention_bytes: int) -> int:
    """
    How many of the oldest segments are past their time, or too much; never the newest, which holds the tail.

    Args:
        segments: oldest first.
        now_ms: since 1970.
    """
    total = sum(segment.size for segment in segments)
    number = 0
    for segment in segments[:-1]:
        if total <= retention_bytes and now_ms - segment.newest_ms <= retention_ms:
            break
        total -= segment.size
        number += 1
    return number


def is_over(newest: Segment, now_ms: int, retention_ms: float) -> bool:
    """Whether another segment should begin, so that the newest one can go in time."""
    if newest.is_empty:
        return False
    if newest.seal:
        return now_ms - newest.newest_ms > retention_ms
    return now_ms - newest.oldest_ms >= retention_ms / PARTS
