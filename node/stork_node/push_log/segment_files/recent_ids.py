"""
The ids of pushes that an earlier process has stored, for the one that takes its place.

Ids are kept for 5 minutes, also if retention deletes their segment earlier. They then go into an .ids file: a header
and NUMBER records. The name of the file has the time of the newest id, and the number of ids.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from stork_node.protocol.positions import Position
from stork_node.push_log.entries import NUMBER
from stork_node.push_log.errors import CorruptLog
from stork_node.push_log.files import read_file, replace_file
from stork_node.push_log.interface import Stored
from stork_node.push_log.segment_files.headers import BadHeader, decode_header, encode_header
from stork_node.push_log.segment_files.records import BadRecord, decode_record, encode_record, read_ids
from stork_node.push_log.segment_files.segments import Segment

IDS_KEPT_S = 300.0
IDS_KEPT = 1_000_000

_NAME = re.compile(r"\d{16}-(\d{13,16})-(\d+)\.ids")

_Found = list[tuple[int, int, bytes]]  # sequence, time, id


def keep_ids(segment: Segment, since_ms: int) -> None:
    """
    Write down the ids of a segment that is to be deleted, from ``since_ms`` (since 1970) on.

    Raises:
        OSError: the disk failed, or the segment is gone already.
    """
    found = read_ids(segment.path.read_bytes()[: segment.size], segment.header_bytes)
    records = [
        encode_record(NUMBER, True, sequence, time_ms, id, b"")
        for sequence, time_ms, id in found
        if time_ms >= since_ms
    ]
    if not records:
        return
    path = segment.path.with_name(f"{segment.header.first:016}-{segment.newest_ms:013}-{len(records)}.ids")
    replace_file(path, encode_header(segment.header) + b"".join(records))


def forget_ids(folder: Path, before_ms: int, limit: int = IDS_KEPT) -> None:
    """Delete files whose ids all are from before ``before_ms`` (since 1970), or that ``limit`` newer ids follow."""
    newer = 0
    for path, newest_ms, number in reversed(_kept(folder)):
        if newest_ms < before_ms or newer >= limit:
            path.unlink(missing_ok=True)
        newer += number


def recent_ids(folder: Path, segments: Sequence[Segment], since_ms: int, limit: int) -> list[tuple[int, Stored]]:
    """
    The ids of pushes since ``since_ms``, each once, with the position where it was stored last.

    Args:
        segments: of the log in ``folder``, oldest first; they were checked when it was opened, and are not again.
        since_ms: since 1970.
        limit: of ids; the oldest are left out.

    Returns:
        Times in ms since 1970 with the ids of each, oldest first.

    Raises:
        CorruptLog: a segment cannot be read, or ids are damaged that were written down.
    """
    groups: list[tuple[int, Stored]] = []
    known: set[str] = set()
    for segment in reversed(segments):
        if len(known) >= limit or segment.newest_ms < since_ms:
            break
        found = list(read_ids(read_file(segment.path, segment.size), segment.header_bytes))
        _collect(segment.header.origin.epoch, found, since_ms, limit, known, groups)
    for path, newest_ms, _ in reversed(_kept(folder)):
        if len(known) < limit and newest_ms >= since_ms:
            epoch, found = _read_kept(path)
            _collect(epoch, found, since_ms, limit, known, groups)
    return [(time_ms, stored[::-1]) for time_ms, stored in reversed(groups)]


def newest_kept_ms(folder: Path) -> int:
    """When the newest id that was written down was stored, in ms since 1970; 0 where there is none."""
    return max((newest_ms for _, newest_ms, _ in _kept(folder)), default=0)


def _kept(folder: Path) -> list[tuple[Path, int, int]]:
    """The files of ids, oldest first, with the time of the newest id of each, and how many it has."""
    found = [(path, _NAME.fullmatch(path.name)) for path in folder.iterdir()]
    return sorted((path, int(name[1]), int(name[2])) for path, name in found if name)


def _read_kept(path: Path) -> tuple[str, _Found]:
    """The epoch and the ids of one file, checked."""
    buffer, offset = read_file(path, -1), 0
    found: _Found = []
    try:
        header, offset = decode_header(buffer)
        while offset < len(buffer):
            record = decode_record(buffer, offset)
            if record is None:
                raise BadRecord("it ends within a record")
            found.append((record.sequence, record.time_ms, record.id))
            offset = record.end
    except (BadHeader, BadRecord) as error:
        raise CorruptLog(path, offset, str(error)) from None
    return header.origin.epoch, found


def _collect(
    epoch: str, found: _Found, since_ms: int, limit: int, known: set[str], groups: list[tuple[int, Stored]]
) -> None:
    """Add what was found, newest first."""
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
