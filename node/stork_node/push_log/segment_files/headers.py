"""
The first line of a segment: what it follows, and who wrote it.

    stork log 1 {"first":1,"previous":null,"created_ms":…,"origin":{"epoch":"…","boot":"…",…}} 89abcdef⏎

Words in ASCII: magic, format number, JSON, CRC-32 of what is before it in hexadecimal.
"""

import zlib
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from stork_node.protocol.positions import MAX_SEQUENCE
from stork_node.push_log.proofs import KEY_BYTES

Sync: TypeAlias = Literal["second", "always", "never"]
"""When what is written is forced to disk: once a second, with each batch, or only at the end of a segment."""

MAX_HEADER_BYTES = 4096

_MAGIC = b"stork log "
_FORMAT = b"1"
_Key = Annotated[str, Meta(max_length=KEY_BYTES, pattern="^[0-9a-f]*$")]
_First = Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]


class Origin(Struct, frozen=True, omit_defaults=True):
    """
    Under which circumstances a segment was written.

    Attributes:
        epoch: of all its numbers.
        boot: the kernel's boot id; empty where there is none.
        machine: the machine's id; empty where there is none.
        sync: what was promised about its pushes.
        key: of the log's proofs; empty in a segment of an older release.
        former: the epochs that the log had before, since it has this key.
    """

    epoch: str
    boot: str
    machine: str
    sync: Sync
    key: _Key = ""
    former: tuple[str, ...] = ()


class Header(Struct, frozen=True):
    """
    What the first line says.

    Attributes:
        first: sequence that its first push has, or would have.
        previous: ``first`` of the segment before it; None for the first one ever.
        created_ms: since 1970.
    """

    first: _First
    previous: _First | None
    created_ms: int
    origin: Origin


class BadHeader(ValueError):
    """A first line that is none; one sentence says why."""


def encode_header(header: Header) -> bytes:
    """The first line of a segment."""
    line = b"%b%b %b " % (_MAGIC, _FORMAT, msgspec.json.encode(header))
    return b"%b%08x\n" % (line, zlib.crc32(line))


def decode_header(buffer: bytes) -> tuple[Header, int]:
    """
    Read the first line of a segment; returns its size in bytes, too.

    Args:
        buffer: the beginning of the file, ``MAX_HEADER_BYTES`` of it at least, or all.

    Raises:
        BadHeader: not a first line, or of a release that writes another format.
    """
    line, newline, _ = buffer.partition(b"\n")
    if not line.startswith(_MAGIC) or not newline:
        raise BadHeader("it does not begin as a segment does")
    if line[-9:] != b" %08x" % zlib.crc32(line[:-8]):
        raise BadHeader("the checksum of its first line is wrong")
    number, _, document = line[len(_MAGIC) : -9].partition(b" ")
    if number != _FORMAT:
        raise BadHeader(f"its format is {number.decode()}, and this release reads {_FORMAT.decode()}")
    try:
        return msgspec.json.decode(document, type=Header), len(line) + 1
    except msgspec.DecodeError as error:
        raise BadHeader(f"its first line: {error}") from None
