"""Removing one topic's pushes from a segment that is finished. Numbers and positions stay as they are."""

import os
import zlib
from contextlib import suppress

import msgspec

from stork_node.push_log.errors import CorruptLog
from stork_node.push_log.records import ERASED, PUSH, SEAL_BYTES, Record, Seal, encode_record, encode_seal
from stork_node.push_log.segment_writer import sync_folder
from stork_node.push_log.segments import Segment, read_file


def erase_topic(segment: Segment, topic: str, keep_ids_ms: int) -> int:
    """
    Remove a topic's pushes from a sealed segment: the file is replaced in one step, or stays as it is.

    A push to that topic only keeps its number, and its id if it is young enough to be seen again. One to several topics
    loses this one.

    Args:
        keep_ids_ms: ids of pushes since then are kept; since 1970.

    Returns:
        How many pushes were to the topic.

    Raises:
        CorruptLog: damage.
        OSError: the new file cannot be written; it needs as much room as the old one.
    """
    # Topics have no character that JSON escapes.
    if b'"%b"' % topic.encode() not in read_file(segment.path, segment.size):
        return 0
    old = segment.seal
    assert old  # noqa: S101
    parts = [read_file(segment.path, segment.header_bytes)]
    number = 0
    for record in segment.records():
        topics = _topics(record)
        erase = topic in topics
        number += erase
        parts.append(_without(record, topic, len(topics) == 1, keep_ids_ms) if erase else _again(record))
    if number:
        body = b"".join(parts)
        seal = Seal(old.closed, old.last, old.time_ms, zlib.crc32(body))
        _replace(segment, body + encode_seal(seal))
        segment.seal, segment.size = seal, len(body) + SEAL_BYTES
        segment.forget_offsets()
    return number


def frame_topics(frame: bytes) -> list[str]:
    """The topics in a stored frame's header."""
    return list(_header(frame)["topics"])
