"""
Records: what a segment is made of after its header, in bytes.

    offset  0    2          6     7         9       13        17        25    33
            mark checksum   kind  id bytes  length  ~length   sequence  time  id, then the frame
            2s   u32        u8    u16       u32     u32       u64       u64 ms

Little endian. The checksum (CRC-32) is of all that follows it; ``length`` is of what follows the head, and stands there
twice, so that a damaged one is not taken for a record that was cut short.
"""

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

SEAL = 4
"""The kind of the last record of a segment that is finished; the other kinds are in ``entries``."""

HEAD_BYTES = 33

_STARTS_BATCH = 0x80
_MARK = b"\xffS"  # 0xff is never in UTF-8, so never in an id or a frame
_FRONT = struct.Struct("<2sI")
_REST = struct.Struct("<BHIIQQ")
_HEAD = struct.Struct("<2sIBHIIQQ")
_SEAL = struct.Struct("<BI")
_ALL_ONES = 0xFFFFFFFF

SEAL_BYTES = HEAD_BYTES + _SEAL.size


class BadRecord(ValueError):
    """Bytes that are no record; one sentence says why."""


class Record(Struct, gc=False):
    """
    One record as it was read.

    Attributes:
        kind: of the entry, or ``SEAL``.
        starts_batch: whether it is the first of those that were written at once.
        time_ms: since 1970.
        id: idempotency key in UTF-8; empty for none.
        frame: as published; empty where only the number is kept.
        end: offset of what follows.
    """

    kind: int
    starts_batch: bool
    sequence: int
    time_ms: int
    id: bytes
    frame: bytes
    end: int


class Seal(Struct, frozen=True):
    """
    How a segment ended.

    Attributes:
        closed: whether the log was closed with it; False where another segment followed.
        last: sequence of the last push before it, or the one before the segment's first.
        time_ms: of that push, since 1970; of the segment's beginning where there is none.
        checksum: CRC-32 of the file up to the seal.
    """

    closed: bool
    last: int
    time_ms: int
    checksum: int


def encode_record(kind: int, starts_batch: bool, sequence: int, time_ms: int, id: bytes, frame: bytes) -> bytes:
    """The bytes of a record."""
    length = len(id) + len(frame)
    flagged = kind | _STARTS_BATCH if starts_batch else kind
    rest = b"%b%b%b" % (_REST.pack(flagged, len(id), length, length ^ _ALL_ONES, sequence, time_ms), id, frame)
    return _FRONT.pack(_MARK, zlib.crc32(rest)) + rest


def encode_seal(seal: Seal) -> bytes:
    """The bytes of the record that ends a segment: ``SEAL_BYTES`` of them."""
    return encode_record(SEAL, False, seal.last, seal.time_ms, b"", _SEAL.pack(seal.closed, seal.checksum))


def decode_record(buffer: bytes, offset: int) -> Record | None:
    """
    Read the record at ``offset``; None where the buffer ends before the record does.

    Raises:
        BadRecord: no record, or not as it was written.
    """
    start = offset + HEAD_BYTES
    if start > len(buffer):
        return None
    mark, checksum, flagged, id_bytes, length, inverse, sequence, time_ms = _HEAD.unpack_from(buffer, offset)
    if mark != _MARK or length ^ inverse != _ALL_ONES:
        raise BadRecord("no record begins here")
    end = start + length
    if end > len(buffer):
        return None
    if zlib.crc32(buffer[offset + _FRONT.size : end]) != checksum:
        raise BadRecord("the checksum of a record is wrong")
    start_of_frame = start + id_bytes
    return Record(
        flagged & ~_STARTS_BATCH,
        flagged >= _STARTS_BATCH,
        sequence,
        time_ms,
        buffer[start:start_of_frame],
        buffer[start_of_frame:end],
        end,
    )


def decode_seal(record: Record) -> Seal:
    """What a record of the kind ``SEAL`` says."""
    closed, checksum = _SEAL.unpack(record.frame)
    return Seal(bool(closed), record.sequence, record.time_ms, checksum)


def record_bytes(buffer: bytes, offset: int) -> int:
    """
    The size of the record whose head is at ``offset``, unchecked but for its length.

    Raises:
        BadRecord: no record begins there.
    """
    mark, _, _, _, length, inverse, _, _ = _HEAD.unpack_from(buffer, offset)
    if mark != _MARK or length ^ inverse != _ALL_ONES:
        raise BadRecord("no record begins here")
    return HEAD_BYTES + int(length)


def find_head(buffer: bytes, offset: int, sequences: range) -> tuple[int, int, int] | None:
    """
    The offset, sequence and time of the first record that begins at ``offset`` or after it, unchecked but for its head.

    None where there is none in the buffer that has one of ``sequences``, or there is the seal before it.
    """
    last = len(buffer) - HEAD_BYTES
    while 0 <= (offset := buffer.find(_MARK, offset)) <= last:
        _, _, flagged, _, length, inverse, sequence, time_ms = _HEAD.unpack_from(buffer, offset)
        if length ^ inverse == _ALL_ONES and sequence in sequences:
            return None if flagged == SEAL else (offset, sequence, time_ms)
        offset += 1
    return None


def read_ids(buffer: bytes, offset: int) -> Iterator[tuple[int, int, bytes]]:
    """The sequence, time and id of each record that has one, unchecked, from ``offset`` to the end of a segment."""
    end = len(buffer) - HEAD_BYTES
    while offset <= end:
        _, _, _, id_bytes, length, _, sequence, time_ms = _HEAD.unpack_from(buffer, offset)
        offset += HEAD_BYTES
        if id_bytes:
            yield sequence, time_ms, buffer[offset : offset + id_bytes]
        offset += length


def holds_record(buffer: bytes, offset: int, starts_batch: bool) -> bool:
    """Whether a whole record begins anywhere from ``offset`` on; one that starts a batch, where that is asked for."""
    while (offset := buffer.find(_MARK, offset)) >= 0:
        try:
            record = decode_record(buffer, offset)
        except BadRecord:
            record = None
        if record is not None and (record.starts_batch or not starts_batch):
            return True
        offset += 1
    return False
