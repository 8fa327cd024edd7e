"""Removing one topic's pushes from a segment that is finished. Numbers and positions stay as they are."""

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from stork_node.push_log.entries import ERASED, PUSH
from stork_node.push_log.files import Replacement, read_file
from stork_node.push_log.segment_files.records import SEAL_BYTES, Record, Seal, encode_record, encode_seal
from stork_node.push_log.segment_files.segments import Segment

# Of one step: others wait for some 0.1 s, also where the disk is slow.
_STEP_PUSHES, _STEP_BYTES = 10_000, 4 << 20


def erase_topic(segment: Segment, topic: str, keep_ids_ms: int) -> Iterator[int]:
    """
    Remove a topic's pushes from a sealed segment: with the last step a new file takes its place, or it stays as it is.

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
    with Replacement(segment.path) as file:
        rewritten = _Rewritten(file, data[: segment.header_bytes])
        start, number, is_found = segment.header_bytes, 0, False
        for record in segment.records():
            if record.kind == PUSH and needle in record.frame and topic in frame_topics(record.frame):
                rewritten.add(_without(record, topic, keep_ids_ms), record.end - start)
                number, is_found = number + 1, True
            else:
                rewritten.add(data[start : record.end], record.end - start)
            start = record.end
            if rewritten.has_step:
                rewritten.write()
                yield number
                number = 0
        if is_found:
            rewritten.write()
            seal = Seal(old.closed, old.last, old.time_ms, rewritten.crc)
            file.write(encode_seal(seal))
            file.take_place()
            segment.seal, segment.size = seal, rewritten.size + SEAL_BYTES
            segment.forget_offsets()
    yield number


class _Rewritten:
    """The new content of a segment, without its seal: it goes to ``file`` in steps."""

    def __init__(self, file: Replacement, header: bytes) -> None:
        self._file, self._parts, self._step_bytes = file, [header], len(header)
        self.size, self.crc = 0, 0

    @property
    def has_step(self) -> bool:
        """Whether enough was added for one step."""
        return len(self._parts) >= _STEP_PUSHES or self._step_bytes >= _STEP_BYTES

    def add(self, part: bytes, old_bytes: int) -> None:
        """Add what comes in the place of the next ``old_bytes``."""
        self._parts.append(part)
        self._step_bytes += old_bytes

    def write(self) -> None:
        """Write what was added since the last time."""
        step = b"".join(self._parts)
        self._file.write(step)
        self.size, self.crc = self.size + len(step), zlib.crc32(step, self.crc)
        self._parts, self._step_bytes = [], 0


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
