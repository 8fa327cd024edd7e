"""
Bus frames: what the publish server publishes and every relay reads, one ZMQ frame each.

    stork 1 push {"epoch":"…","sequence":12,"topics":[…],"exclude":[…],"store":true}⏎{"type":…,"data":…,"timestamp":…}
    stork 1 heartbeat {"epoch":"…","sequence":12,"time":"2026-01-31T12:00:00.000Z"}

Words in ASCII with one space between them (magic, protocol number, kind), and a header in JSON on the same line; in a
push, the event object follows as clients get it. Reading a frame does not parse the event.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stork_node.errors import InvalidFrame, UnknownProtocol
from stork_node.positions import MAX_SEQUENCE, Position
from stork_node.push import Push

PROTOCOL = 1
"""The protocol number of this release. It reads frames of the number before, too; there is none before 1."""

PREFIX = b"stork "
"""What a SUB socket subscribes to."""

_PUSH = b"stork %d push " % PROTOCOL
_HEARTBEAT = b"stork %d heartbeat " % PROTOCOL
_SPOKEN = {b"1"}

_Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class PushFrame(Struct, frozen=True, gc=False):
    """One push on the bus; ``event`` is the exact JSON of the object that clients get."""

    position: Position
    topics: tuple[str, ...]
    exclude: tuple[int, ...]
    store: bool
    event: bytes


class Heartbeat(Struct, frozen=True, gc=False):
    """Sent each second: the position of the last push published before it, and the server's time (RFC 3339)."""

    position: Position
    time: str


class _PushHeader(Struct, gc=False):
    epoch: str
    sequence: _Sequence
    topics: tuple[str, ...]
    exclude: tuple[int, ...]
    store: bool


class _HeartbeatHeader(Struct, gc=False):
    epoch: str
    sequence: _Sequence
    time: str


_encode = msgspec.json.Encoder().encode
_decode_push_header = msgspec.json.Decoder(_PushHeader).decode
_decode_heartbeat_header = msgspec.json.Decoder(_HeartbeatHeader).decode


def encode_push_frame(position: Position, push: Push) -> bytes:
    """The frame of a push at its position: ``push.data`` goes into the event as the bytes that came."""
    header = _PushHeader(position.epoch, position.sequence, push.topics, push.exclude, push.store)
    return b'%b%b\n{"type":%b,"data":%b,"timestamp":"%b"}' % (
        _PUSH,
        _encode(header),
        _encode(push.type),
        push.data,
        push.timestamp.encode(),
    )


def encode_heartbeat(position: Position, time: str) -> bytes:
    """The frame of a heartbeat; ``time`` is RFC 3339 in UTC, with milliseconds and ``Z``."""
    return _HEARTBEAT + _encode(_HeartbeatHeader(position.epoch, position.sequence, time))


def decode_frame(frame: bytes) -> PushFrame | Heartbeat:
    """
    Read one frame of the bus.

    Raises:
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: anything else that ``encode_push_frame`` and ``encode_heartbeat`` do not write.
    """
    line, newline, event = frame.partition(b"\n")
    words = line.split(b" ", 3)
    if words[0] != b"stork" or len(words) < 2:
        raise InvalidFrame("it does not begin with 'stork' and a protocol number")
    if words[1] not in _SPOKEN:
        raise UnknownProtocol(words[1][:20].decode("ascii", "backslashreplace"))
    if len(words) < 4:
        raise InvalidFrame("it has no header")
    try:
        if words[2] == b"push" and newline:
            header = _decode_push_header(words[3])
            position = Position(header.epoch, header.sequence)
            return PushFrame(position, header.topics, header.exclude, header.store, event)
        if words[2] == b"heartbeat" and not newline:
            beat = _decode_heartbeat_header(words[3])
            return Heartbeat(Position(beat.epoch, beat.sequence), beat.time)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFrame(f"its header: {error}") from None
    raise InvalidFrame(f"{words[2][:20]!r} is not a kind of frame, or its event is missing")
