"""Frames as Redis keeps them: without epoch and number, which a script gives."""

import hashlib
import json
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from stork_node.engines.interface import is_receipt
from stork_node.protocol.bus import StateFrame, decode_frame
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed, StateEntry
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceChanges
from stork_node.protocol.push import Push
from stork_node.push_log.entries import (
    ABSENT,
    ATTACHED,
    COMMAND,
    ERASURE,
    GONE,
    NUMBER,
    OBEYED,
    PRESENCE,
    PUSH,
    SETTLED,
    Addition,
    number_entries,
)
from stork_node.push_log.proofs import Proofs


class Row(NamedTuple):
    """One entry as ``append.lua`` takes it; ``content`` is kind, id, digest, incarnation and report."""

    content: tuple[int, str, str, str, int]
    body: bytes

    @property
    def kind(self) -> int:
        return self.content[0]


_WORDS = {
    PUSH: b"push",
    NUMBER: b"push",
    ERASURE: b"erase",
    COMMAND: b"command",
    ATTACHED: b"attached",
    GONE: b"gone",
    OBEYED: b"obeyed",
    PRESENCE: b"presence",
    ABSENT: b"absent",
    SETTLED: b"settled",
}
_STATE_KINDS = frozenset(_WORDS) - {PUSH, NUMBER, ERASURE}
_HEADS = {kind: len(b'stork 1 %b {"epoch":"","sequence":1' % word) for kind, word in _WORDS.items()}
_NOWHERE = Position("", 0)
_encode_command = msgspec.json.Encoder(order="sorted").encode


class _NoProofs(Proofs):
    """One lineage gives a number once, and needs none."""

    def __init__(self) -> None:
        super().__init__("")

    def of(self, position: Position, run: str) -> str:
        return ""


_NONE = _NoProofs()


def rows_of(additions: list[Addition], run: str) -> list[Row]:
    """What is sent of each entry."""
    rows: list[Row] = []
    for addition in additions:
        entry = next(number_entries([addition], _NOWHERE, run, _NONE))
        id = entry.id
        digest = digest_of(addition) if id and isinstance(addition, Push | Command) else ""
        rows.append(Row((entry.kind, id, digest, *_said_by(addition)), entry.frame[_HEADS[entry.kind] :]))
    return rows


def _said_by(addition: Addition) -> tuple[str, int]:
    """Which incarnation says it, and its number of what it says."""
    match addition:
        case NodeAttached() | NodeGone():
            return addition.incarnation, 0
        case Obeyed():
            return addition.incarnation, addition.report
        case PresenceChanges():
            return addition.incarnation, addition.batch
    return ("+" if is_receipt(addition) else ""), 0


def digest_of(given: Push | Command) -> str:
    """Two documents with one digest are one document: topics, type and data, or a whole command."""
    if isinstance(given, Command):
        content = _encode_command(structs.replace(given, given_s=0))
    else:
        content = msgspec.msgpack.encode((given.topics, given.type, given.data))
    return hashlib.blake2s(content, digest_size=9).hexdigest()


def frame_of(kind: int, body: bytes, position: Position) -> bytes:
    """The frame of an entry; empty where it has none, or is of a kind that only another release knows."""
    word = _WORDS.get(kind)
    if word is None or not body:
        return b""
    return b'stork 1 %b {"epoch":"%b","sequence":%d%b' % (word, position.epoch.encode(), position.sequence, body)


def state_entry(kind: int, frame: bytes) -> StateEntry | None:
    """What a frame says about nodes and commands."""
    if kind not in _STATE_KINDS:
        return None
    read = decode_frame(frame)
    return read.content if isinstance(read, StateFrame) else None


def without_topic(body: bytes, topic: str) -> bytes | None:
    """What stays of a push: None where it is not to the topic, empty where it is to no other one."""
    if b'"%b"' % topic.encode() not in body:
        return None
    line, _, event = body.partition(b"\n")
    header: dict[str, Any] = json.loads(b'{"epoch":""' + line)
    if topic not in header["topics"]:
        return None
    header["topics"].remove(topic)
    del header["epoch"]
    return b",%b\n%b" % (msgspec.json.encode(header)[1:], event) if header["topics"] else b""
