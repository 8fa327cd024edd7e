"""
Bus frames: what the publish server publishes and every relay reads, one ZMQ frame each.

    stork 1 push {"epoch":"…","sequence":12,"run":"…","topics":[…],"exclude":[…],"store":true,"proof":"…"}⏎{"type":…,…}
    stork 1 erase {"epoch":"…","sequence":13,"run":"…","topic":"…","proof":"…"}
    stork 1 command | attached | gone | obeyed | presence | absent | settled {…}      see ``commands.entries``
    stork 1 heartbeat {"epoch":"…","sequence":13,"run":"…","time":"2026-01-31T12:00:00.000Z","counters":{…}}

``run`` names one run of the publish server over its log. A relay that meets another run asks what became of the log
(see ``replay``) before it believes a number: an older copy of a log gives numbers a second time. ``proof`` shows that
this run gave this number; a relay keeps that of its last number for ``replay``. A frame of an older release has none.

A frame of a kind that only a newer release knows has at least ``epoch``, ``sequence`` and ``run``. A relay counts its
number, and passes over it.

Words in ASCII with one space between them (magic, protocol number, kind), and a header in JSON on the same line; in a
push, the event object follows as clients get it. Reading a frame checks the event's form, and does not decode its data.
"""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stork_node.errors import InvalidFrame, UnknownProtocol
from stork_node.protocol import bus_checks
from stork_node.protocol.bus_checks import check_event, check_names, check_topic, check_topics
from stork_node.protocol.commands.entries import STATE_KINDS, decode_state_header
from stork_node.protocol.commands.entries import StateFrame as StateFrame
from stork_node.protocol.positions import MAX_SEQUENCE, Position
from stork_node.protocol.push import Push

PROTOCOL = 1
"""The protocol number of this release. It reads frames of the number before, too; there is none before 1."""

PREFIX = b"stork "
"""What a SUB socket subscribes to."""

NODES_PREFIX = b"stork node"
"""What a relay subscribes to besides, to be known as one that obeys commands; no frame begins with it."""

_PUSH = b"stork %d push " % PROTOCOL
_ERASE = b"stork %d erase " % PROTOCOL
_HEARTBEAT = b"stork %d heartbeat " % PROTOCOL
_SPOKEN = {b"1"}
_KNOWN = {b"push", b"erase", b"heartbeat", *STATE_KINDS}
_KIND = re.compile(rb"[a-z_]{1,32}")

_Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class PushFrame(Struct, frozen=True, gc=False):
    """
    One push on the bus; ``event`` is the exact JSON of the object that clients get.

    ``receipt``: the next entry asks what each node has written of it (``commands.documents.RECEIPT``).
    """

    position: Position
    run: str
    topics: tuple[str, ...]
    exclude: tuple[int, ...]
    store: bool
    event: bytes
    proof: str = ""
    receipt: bool = False


class EraseFrame(Struct, frozen=True, gc=False):
    """All pushes to ``topic`` with a smaller number are to be forgotten. An erasure takes a number, as a push does."""

    position: Position
    run: str
    topic: str
    proof: str = ""


class Heartbeat(Struct, frozen=True, gc=False):
    """
    Sent each second: the position of the last push published before it, and the server's time (RFC 3339).

    ``counters`` are the publish server's figures since its start, by name, for the metrics of nodes. ``nodes``: whether
    it takes leases.
    """

    position: Position
    run: str
    time: str
    counters: dict[str, float]
    nodes: bool = False


class OtherFrame(Struct, frozen=True, gc=False):
    """An entry of a kind that only a newer release knows. It has a number, and a relay passes over it."""

    position: Position
    run: str
    kind: str
    proof: str = ""


Frame = PushFrame | EraseFrame | StateFrame | OtherFrame | Heartbeat


class _PushHeader(Struct, gc=False, omit_defaults=True):
    epoch: bus_checks.Name
    sequence: _Sequence
    run: bus_checks.Name
    topics: bus_checks.Topics
    exclude: bus_checks.Exclude
    store: bool
    proof: bus_checks.Proof = ""
    receipt: bool = False


class _EraseHeader(Struct, gc=False, omit_defaults=True):
    epoch: bus_checks.Name
    sequence: _Sequence
    run: bus_checks.Name
    topic: str
    proof: bus_checks.Proof = ""


class _HeartbeatHeader(Struct, gc=False, omit_defaults=True):
    epoch: bus_checks.Name
    sequence: _Sequence
    run: bus_checks.Name
    time: bus_checks.Time
    counters: bus_checks.Counters = {}
    nodes: bool = False


class _OtherHeader(Struct, gc=False):
    epoch: bus_checks.Name
    sequence: _Sequence
    run: bus_checks.Name
    proof: bus_checks.Proof = ""


_encode = msgspec.json.Encoder().encode
_decode_push_header = msgspec.json.Decoder(_PushHeader).decode
_decode_erase_header = msgspec.json.Decoder(_EraseHeader).decode
_decode_heartbeat_header = msgspec.json.Decoder(_HeartbeatHeader).decode
_decode_other_header = msgspec.json.Decoder(_OtherHeader).decode


def encode_push_frame(position: Position, run: str, push: Push, proof: str = "") -> bytes:
    """The frame of a push at its position: ``push.data`` goes into the event as the bytes that came."""
    epoch, number = position.epoch, position.sequence
    header = _PushHeader(epoch, number, run, push.topics, push.exclude, push.store, proof, push.receipt)
    return b'%b%b\n{"type":%b,"data":%b,"timestamp":"%b"}' % (
        _PUSH,
        _encode(header),
        _encode(push.type),
        push.data,
        push.timestamp.encode(),
    )


def encode_erase_frame(position: Position, run: str, topic: str, proof: str = "") -> bytes:
    """The frame that has relays forget a topic's history."""
    return _ERASE + _encode(_EraseHeader(position.epoch, position.sequence, run, topic, proof))


def encode_heartbeat(
    position: Position, run: str, time: str, counters: dict[str, float], *, nodes: bool = False
) -> bytes:
    """The frame of a heartbeat; ``time`` is RFC 3339 in UTC, with milliseconds and ``Z``."""
    return _HEARTBEAT + _encode(_HeartbeatHeader(position.epoch, position.sequence, run, time, counters, nodes))


def decode_frame(frame: bytes) -> Frame:
    """
    Read one frame of the bus.

    Raises:
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: anything else that the functions above do not write.
    """
    read = _decode(*split_frame(frame))
    check_names(read.position.epoch, read.run)
    if isinstance(read, PushFrame):
        check_topics(read.topics)
        check_event(read.event)
    elif isinstance(read, EraseFrame):
        check_topic(read.topic)
    return read


def _decode(kind: bytes, header: bytes, event: bytes | None) -> Frame:
    try:
        if kind == b"push" and event is not None:
            push = _decode_push_header(header)
            position = Position(push.epoch, push.sequence)
            return PushFrame(position, push.run, push.topics, push.exclude, push.store, event, push.proof, push.receipt)
        if kind == b"erase" and event is None:
            erase = _decode_erase_header(header)
            return EraseFrame(Position(erase.epoch, erase.sequence), erase.run, erase.topic, erase.proof)
        if kind == b"heartbeat" and event is None:
            beat = _decode_heartbeat_header(header)
            return Heartbeat(Position(beat.epoch, beat.sequence), beat.run, beat.time, beat.counters, beat.nodes)
        if kind in STATE_KINDS and event is None:
            return decode_state_header(kind, header)
        if kind not in _KNOWN and _KIND.fullmatch(kind):
            other = _decode_other_header(header)
            return OtherFrame(Position(other.epoch, other.sequence), other.run, kind.decode(), other.proof)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFrame(f"its header: {error}") from None
    raise InvalidFrame(f"{kind[:20]!r} is not a kind of frame, or its event is missing")


def stamped_at(event: bytes) -> float | None:
    """The timestamp of a push's event, in seconds since 1970; None for one that the server has not written itself."""
    text = event[-26:-2]
    if not text.endswith(b"Z"):
        return None
    try:
        return datetime.fromisoformat(text.decode()).timestamp()
    except ValueError:
        return None


def split_frame(frame: bytes) -> tuple[bytes, bytes, bytes | None]:
    """
    The kind, the header and what follows on the lines after it (None where there are none), of bus and replay alike.

    Raises:
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: not three words and a header.
    """
    line, newline, rest = frame.partition(b"\n")
    words = line.split(b" ", 3)
    if words[0] != b"stork" or len(words) < 2:
        raise InvalidFrame("it does not begin with 'stork' and a protocol number")
    if words[1] not in _SPOKEN:
        raise UnknownProtocol(words[1][:20].decode("ascii", "backslashreplace"))
    if len(words) < 4:
        raise InvalidFrame("it has no header")
    return words[2], words[3], rest if newline else None
