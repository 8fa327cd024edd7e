"""Removing one topic's pushes from a segment that is finished. Numbers and positions stay as they are."""

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from stork_node.push_log.entries import ERASED, PUSH
from stork_node.push_log.files import read_file, replace_file
from stork_node.push_log.segment_files.records import SEAL_BYTES, Record, Seal, encode_record, encode_seal
from stork_node.push_log.segment_files.segments import Segment

_STEP_PUSHES = 10_000


def erase_topic(segment: Segment, topic: str, keep_ids_ms: int) -> Iterator[int]:
    """
    Remove a topic's pushes from a sealed segment: with the last step the file is replaced, or it stays as it is.

    A push to that topic only keeps its number, and its id if it is young enough to be seen again. One to several topics
    loses this one.

    Args:
        topic: URI.
        keep_ids_ms: ids of pushes since then are kept; since 1970.

    Yields:
        How many pushes to the topic were found in each step.

    Raises:
        CorruptLog: damage.
        OSError: the new file cannot be written; it needs as much room as the old one.
    """
    old, data = segment.seal, read_file(segment.path, segment.size)
    assert old  # noqa: S101
    needle = b'"%b"' % topic.encode()  # topics have no character that JSON escapes
    if needle not in data:
        yield 0
        return
    parts, start, number, is_found = [data[: segment.header_bytes]], segment.header_bytes, 0, False
    for record in segment.records():
        if record.kind == PUSH and needle in record.frame and topic in frame_topics(record.frame):
            parts.append(_without(record, topic, keep_ids_ms))
            number, is_found = number + 1, True
        else:
            parts.append(data[start : record.end])
        start = record.end
        if len(parts) % _STEP_PUSHES == 0:
            yield number
            number = 0
    if is_found:
        body = b"".join(parts)
        seal = Seal(old.closed, old.last, old.time_ms, zlib.crc32(body))
        replace_file(segment.path, body + encode_seal(seal))
        segment.seal, segment.size = seal, len(body) + SEAL_BYTES
        segment.forget_offsets()
    yield number


def frame_topics(frame: bytes) -> tuple[str, ...]:
    """The topics of a stored frame."""
    return tuple(_split(frame)[1]["topics"])


def _without(record: Record, topic: str, keep_ids_ms: int) -> bytes:
    words, header, event = _split(record.frame)
    header["topics"].remove(topic)
    kind, id, frame = record.kind, record.id, b"%b %b\n%b" % (words, msgspec.json.encode(header), event)
    if not header["topics"]:
        kind, id, frame = ERASED, record.id if record.time_ms >= keep_ids_ms else b"", b""
    return encode_record(kind, record.starts_batch, record.sequence, record.time_ms, id, frame)


def _split(frame: bytes) -> tuple[bytes, dict[str, Any], bytes]:
    """The words, the header and the event of a frame of the bus, of whatever protocol number."""
    line, _, event = frame.partition(b"\n")
    magic, number, kind, header = line.split(b" ", 3)
    return b" ".join((magic, number, kind)), msgspec.json.decode(header), event
