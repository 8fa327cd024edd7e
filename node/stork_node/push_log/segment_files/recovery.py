"""Opening what an earlier process has left: every segment is checked, and the end of the newest one is found."""

import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from stork_node.push_log.epochs import Machine, wrote_here
from stork_node.push_log.errors import CorruptLog, MissingSegment
from stork_node.push_log.files import read_file
from stork_node.push_log.segment_files.records import SEAL, BadRecord, decode_record, decode_seal, holds_record
from stork_node.push_log.segment_files.segments import (
    Segment,
    check_sealed,
    open_segment,
    segment_path,
    segment_paths,
)


@dataclass(frozen=True, slots=True)
class Cut:
    """
    What is after the last good record of the newest segment, and has to go.

    Attributes:
        size: in bytes.
        reason: what is wrong with it.
        answered: whether a push in it may have been answered, and published.
    """

    size: int
    reason: str
    answered: bool


def survey(folder: Path) -> list[Segment]:
    """
    The segments of a folder, oldest first, by their first lines and seals; nothing is missing between them.

    Raises:
        CorruptLog: a segment that another follows has no end, or another one than that begins with.
        MissingSegment: one between two others is not there.
    """
    segments = [open_segment(path) for path in segment_paths(folder)]
    for segment, following in pairwise(segments):
        check_follows(segment, following)
    return segments


def check_follows(segment: Segment, following: Segment) -> None:
    """
    Compare a segment that is not the newest with the one after it.

    Raises:
        CorruptLog: the first has no end, or the second begins elsewhere.
        MissingSegment: another one has been between them.
    """
    previous = following.header.previous
    if previous != segment.header.first:
        if previous is None or previous < segment.header.first:
            raise CorruptLog(following.path, 0, f"it does not follow {segment.path.name}, which is before it")
        raise MissingSegment(following.path, segment_path(following.path.parent, previous))
    if segment.seal is None:
        raise CorruptLog(segment.path, segment.path.stat().st_size, "its end is missing")
    if segment.last + 1 != following.header.first:
        raise CorruptLog(following.path, 0, f"it begins with push {following.header.first}, not {segment.last + 1}")


def check_all(segments: list[Segment], machine: Machine) -> Cut | None:
    """
    Check what ``survey`` found, and complete what it says of the newest segment.

    Returns:
        What has to be cut from the newest segment; its ``size`` is without it already.

    Raises:
        CorruptLog: damage that a crash does not explain.
    """
    for segment in segments:
        if segment.seal:
            check_sealed(segment)
    return find_end(segments[-1], machine) if segments and not segments[-1].seal else None


def find_end(segment: Segment, machine: Machine) -> Cut | None:
    """
    Walk a segment without a seal up to its end.

    A process that is killed leaves the beginning of what it was writing, and nothing else. A machine that stops may
    leave anything of what was not forced to disk: with ``--sync always`` that is one batch, otherwise all is doubtful,
    and the epoch is over.

    Raises:
        CorruptLog: damage that neither of the two explains.
    """
    data = read_file(segment.path, segment.path.stat().st_size)
    offset = segment.header_bytes
    while offset < len(data):
        try:
            record = decode_record(data, offset)
        except BadRecord as bad:
            return _judge(segment, data, str(bad), machine)
        if record is None:
            return Cut(len(data) - offset, "a record that was cut short", answered=False)
        if record.kind == SEAL:
            segment.seal, segment.size = decode_seal(record), record.end
            if segment.seal.checksum != zlib.crc32(data[:offset]):
                raise CorruptLog(segment.path, offset, "the checksum of the whole is wrong")
            # What is after it was not written by a publish server.
            more = len(data) - record.end
            return Cut(more, "it is after the end of the segment", answered=False) if more else None
        if record.sequence != segment.last + 1:
            raise CorruptLog(segment.path, offset, f"push {record.sequence} is where {segment.last + 1} should be")
        segment.add(record.sequence, record.time_ms, record.end)
        offset = record.end
    return None


def _judge(segment: Segment, data: bytes, reason: str, machine: Machine) -> Cut:
    here, offset = wrote_here(segment.header.origin, machine), segment.size
    is_certain = here or segment.header.origin.sync == "always"
    # Under this boot any record that follows shows damage; after another, one of a later batch does.
    if is_certain and holds_record(data, offset + 1, starts_batch=not here):
        raise CorruptLog(segment.path, offset, reason)
    return Cut(len(data) - offset, reason, answered=here)
