"""Segments: the files of a log, ``<first sequence>.segment``, and how one is read."""

import os
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from stork_node.push_log.errors import CorruptLog
from stork_node.push_log.files import read_file
from stork_node.push_log.segment_files.headers import MAX_HEADER_BYTES, BadHeader, Header, decode_header
from stork_node.push_log.segment_files.records import (
    SEAL,
    SEAL_BYTES,
    BadRecord,
    Record,
    Seal,
    decode_record,
    decode_seal,
)

_NAME = re.compile(r"[0-9]{16}\.segment")
_CHUNK_BYTES = 1 << 20
_INDEX_BYTES = 64 << 10


def segment_path(folder: Path, first: int) -> Path:
    """Where the segment is that begins with sequence ``first``."""
    return folder / f"{first:016d}.segment"


def segment_paths(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first."""
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


class Segment:
    """
    One file of the log, as far as it is known to be good.

    Attributes:
        path: the file.
        header: its first line.
        header_bytes: offset of its first record.
        size: offset of the end of what is good in it.
        last: sequence of its last push; the one before ``header.first`` while it has none.
        oldest_ms: time of its first push, since 1970; of the segment's beginning while it has none.
        newest_ms: time of its last push; of the segment's beginning while it has none.
        seal: its end, once it has one.
    """

    def __init__(self, path: Path, header: Header, header_bytes: int) -> None:
        self.path, self.header, self.header_bytes = path, header, header_bytes
        self.size = header_bytes
        self.last = header.first - 1
        self.oldest_ms = self.newest_ms = header.created_ms
        self.seal: Seal | None = None
        self.forget_offsets()

    @property
    def is_empty(self) -> bool:
        """Whether no push is in it."""
        return self.last < self.header.first

    def add(self, last: int, time_ms: int, size: int) -> None:
        """Take what was written up to ``size`` as good: pushes up to sequence ``last``, at ``time_ms``."""
        self.note_offset(self.last + 1, self.size)
        if self.is_empty:
            self.oldest_ms = self.newest_ms = time_ms
        self.newest_ms = max(self.newest_ms, time_ms)
        self.last, self.size = last, size

    def note_offset(self, sequence: int, offset: int) -> None:
        """Remember where a push begins, if that is far enough from all that is remembered."""
        i = bisect_right(self._offsets, offset)
        if offset - self._offsets[i - 1] < _INDEX_BYTES:
            return
        if i == len(self._offsets) or self._offsets[i] - offset >= _INDEX_BYTES:
            self._sequences.insert(i, sequence)
            self._offsets.insert(i, offset)

    def offset_before(self, sequence: int) -> tuple[int, int]:
        """The nearest push at or before ``sequence`` whose place is remembered: its sequence and offset."""
        i = bisect_right(self._sequences, sequence) - 1
        return self._sequences[i], self._offsets[i]

    def forget_offsets(self) -> None:
        """The file was rewritten: nothing but its beginning is where it was."""
        self._sequences, self._offsets = [self.header.first], [self.header_bytes]

    def records(self) -> Iterator[Record]:
        """
        All pushes in it, checked; it is read whole.

        Raises:
            CorruptLog: a damaged record, or one that is not in its place.
        """
        data = read_file(self.path, self.size)
        offset, expected = self.header_bytes, self.header.first
        while True:
            try:
                record = decode_record(data, offset)
            except BadRecord as bad:
                raise CorruptLog(self.path, offset, str(bad)) from None
            if record is None:
                if offset < self.size:
                    raise CorruptLog(self.path, offset, "the file ends within a record")
                return
            if record.kind == SEAL:
                return
            if record.sequence != expected:
                raise CorruptLog(self.path, offset, f"push {record.sequence} is where {expected} should be")
            yield record
            offset, expected = record.end, expected + 1


def open_segment(path: Path) -> Segment:
    """
    Read the first line and the seal of a segment; the rest of one without a seal is not known yet.

    Raises:
        CorruptLog: the first line is not of this segment.
    """
    with path.open("rb") as file:
        try:
            header, header_bytes = decode_header(file.read(MAX_HEADER_BYTES))
        except BadHeader as bad:
            raise CorruptLog(path, 0, str(bad)) from None
        if path != segment_path(path.parent, header.first):
            raise CorruptLog(path, 0, f"it begins with push {header.first}, which its name does not say")
        segment = Segment(path, header, header_bytes)
        size = os.fstat(file.fileno()).st_size
        if size >= header_bytes + SEAL_BYTES:
            segment.seal = _read_seal(os.pread(file.fileno(), SEAL_BYTES, size - SEAL_BYTES))
    if segment.seal:
        segment.last, segment.newest_ms, segment.size = segment.seal.last, segment.seal.time_ms, size
    return segment


def check_sealed(segment: Segment) -> None:
    """
    Read a sealed segment through, and compare it with its seal.

    Raises:
        CorruptLog: something in it has changed since.
    """
    assert segment.seal  # noqa: S101
    checksum, left = 0, segment.size - SEAL_BYTES
    with segment.path.open("rb") as file:
        while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
            checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    if checksum != segment.seal.checksum:
        for _ in segment.records():  # says where
            pass
        raise CorruptLog(segment.path, segment.size - SEAL_BYTES, "the checksum of the whole is wrong")


def _read_seal(end: bytes) -> Seal | None:
    try:
        record = decode_record(end, 0)
    except BadRecord:
        return None
    return decode_seal(record) if record and record.kind == SEAL else None
