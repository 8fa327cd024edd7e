"""The ids of pushes that an earlier process has stored, for the one that takes its place."""

from collections.abc import Sequence

from stork_node.positions import Position
from stork_node.push_log.files import read_file
from stork_node.push_log.records import read_ids
from stork_node.push_log.segments import Segment

Stored = list[tuple[str, Position]]


def recent_ids(segments: Sequence[Segment], since_ms: int, limit: int) -> list[tuple[int, Stored]]:
    """
    The ids of pushes since ``since_ms``, each once, with the position where it was stored last.

    Args:
        segments: oldest first; they were checked when the log was opened, and are not again.
        since_ms: since 1970.
        limit: of ids; the oldest are left out.

    Returns:
        Times in ms since 1970 with the ids of each, oldest first.

    Raises:
        CorruptLog: a segment cannot be read.
    """
    groups: list[tuple[int, Stored]] = []
    known: set[str] = set()
    for segment in reversed(segments):
        if len(known) >= limit or segment.newest_ms < since_ms:
            break
        _collect(segment, since_ms, limit, known, groups)
    return [(time_ms, stored[::-1]) for time_ms, stored in reversed(groups)]


def _collect(segment: Segment, since_ms: int, limit: int, known: set[str], groups: list[tuple[int, Stored]]) -> None:
    """Add what a segment has, newest first."""
    epoch = segment.header.origin.epoch
    found = list(read_ids(read_file(segment.path, segment.size), segment.header_bytes))
    for sequence, time_ms, raw_id in reversed(found):
        if len(known) >= limit:
            break
        id = raw_id.decode()
        if time_ms < since_ms or id in known:
            continue
        known.add(id)
        if not groups or groups[-1][0] != time_ms:
            groups.append((time_ms, []))
        groups[-1][1].append((id, Position(epoch, sequence)))
