"""
Entries of the log that are neither pushes nor erasures, and their frames on the bus: commands, and what nodes say.

    stork 1 command {"epoch":"…","sequence":14,"run":"…","content":{"kind":"disconnect","authid":"7"},"proof":"…"}
    stork 1 attached {…,"content":{"incarnation":"…","name":"node-1","version":"26.11"}}
    stork 1 gone {…,"content":{"incarnation":"…","why":"silent"}}
    stork 1 obeyed {…,"content":{"incarnation":"…","report":1,"command":14,"counts":{"sessions":2}}}
    stork 1 presence | absent | settled {…}      see ``presence.entries``

A relay of an older release passes over all of them (``bus.OtherFrame``).
"""

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from stork_node.errors import InvalidCommand, InvalidFrame
from stork_node.protocol.commands.documents import Command, check_command
from stork_node.protocol.positions import MAX_SEQUENCE, Position
from stork_node.protocol.presence.entries import (
    AbsencesOver,
    PresenceChanges,
    PresenceEntry,
    PresenceSettled,
    check_topics,
)

T = TypeVar("T")

_NAME = r"\A[0-9A-Za-z_-]{1,64}\Z"
_Name = Annotated[str, Meta(pattern=_NAME)]
_Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]

Incarnation = Annotated[str, Meta(pattern=_NAME)]
"""One life of a node's router: a random name."""
NodeName = Annotated[str, Meta(pattern=r"\A[0-9A-Za-z._-]{1,64}\Z")]
"""What an operator calls a node; several nodes may have one name."""
Version = Annotated[str, Meta(max_length=64)]
Counts = Annotated[
    dict[Annotated[str, Meta(pattern=r"\A[a-z_]{1,32}\Z")], Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]],
    Meta(max_length=8),
]
"""What a command met on one node: ``sessions``, ``subscriptions``, ``answers``."""


class NodeAttached(Struct, frozen=True):
    """A node follows the log from here on, and obeys the commands after this entry."""

    incarnation: Incarnation
    name: NodeName
    version: Version = ""


class NodeGone(Struct, frozen=True):
    """An incarnation has ended: it was ``silent`` for too long, or has ``left``."""

    incarnation: Incarnation
    why: Literal["silent", "left"] = "silent"


class Obeyed(Struct, frozen=True):
    """
    A node has obeyed a command.

    Attributes:
        report: 1, 2, … for each incarnation; no number is left out.
        command: the number of the command in the log.
        counts: what the command met there.
    """

    incarnation: Incarnation
    report: Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]
    command: _Sequence
    counts: Counts


StateEntry = Command | NodeAttached | NodeGone | Obeyed | PresenceEntry


class StateFrame(Struct, frozen=True):
    """One of these entries on the bus."""

    position: Position
    run: str
    content: StateEntry
    proof: str = ""


class _Header(Struct, Generic[T], omit_defaults=True):
    epoch: Annotated[str, Meta(max_length=64)]
    sequence: _Sequence
    run: Annotated[str, Meta(max_length=64)]
    content: T
    proof: Annotated[str, Meta(max_length=64)] = ""


_WORDS: dict[type[StateEntry], bytes] = {
    Command: b"command",
    NodeAttached: b"attached",
    NodeGone: b"gone",
    Obeyed: b"obeyed",
    PresenceChanges: b"presence",
    AbsencesOver: b"absent",
    PresenceSettled: b"settled",
}
_DECODERS: dict[bytes, Callable[[bytes], Any]] = {
    b"command": msgspec.json.Decoder(_Header[Command]).decode,
    b"attached": msgspec.json.Decoder(_Header[NodeAttached]).decode,
    b"gone": msgspec.json.Decoder(_Header[NodeGone]).decode,
    b"obeyed": msgspec.json.Decoder(_Header[Obeyed]).decode,
    b"presence": msgspec.json.Decoder(_Header[PresenceChanges]).decode,
    b"absent": msgspec.json.Decoder(_Header[AbsencesOver]).decode,
    b"settled": msgspec.json.Decoder(_Header[PresenceSettled]).decode,
}
STATE_KINDS = frozenset(_DECODERS)

_encode = msgspec.json.Encoder().encode


def entry_kind(content: StateEntry) -> str:
    """The word for an entry, such as ``command`` or ``presence``."""
    return _WORDS[type(content)].decode()


def encode_state_frame(position: Position, run: str, content: StateEntry, proof: str = "") -> bytes:
    """The frame of an entry at its position."""
    header = _Header(position.epoch, position.sequence, run, content, proof)
    return b"stork 1 %b %b" % (_WORDS[type(content)], _encode(header))


def decode_state_header(kind: bytes, header: bytes) -> StateFrame:
    """
    Read the header of a frame whose kind is one of ``STATE_KINDS``.

    Raises:
        InvalidFrame: a command or a presence that breaks a rule.
        msgspec.DecodeError: it has another form.
    """
    read = _DECODERS[kind](header)
    if isinstance(read.content, Command):
        try:
            check_command(read.content)
        except InvalidCommand as error:
            raise InvalidFrame(f"its command: {error.reason}") from None
    elif isinstance(read.content, PresenceChanges):
        check_topics(read.content.topics)
    return StateFrame(Position(read.epoch, read.sequence), read.run, read.content, read.proof)
