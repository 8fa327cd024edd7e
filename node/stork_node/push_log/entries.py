"""
Entries of the log: each has a number, a kind, and the frame that is published for it.

docs/architecture.md#add-a-kind-of-log-entry lists all places to change for a new kind. A relay of an older release
passes over a kind that it does not know (``bus.OtherFrame``).
"""

from collections.abc import Iterator, Sequence
from typing import assert_never

from msgspec import Struct

from stork_node.protocol.bus import encode_erase_frame, encode_push_frame
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed, StateEntry, encode_state_frame
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import AbsencesOver, PresenceChanges, PresenceSettled
from stork_node.protocol.push import Push
from stork_node.push_log.proofs import Proofs

PUSH = 1
"""A push with its frame."""
NUMBER = 2
"""A push with ``store: false``: its number only."""
ERASED = 3
"""A push whose frame was removed."""
ERASURE = 5
"""An erasure, with its frame: relays forget all earlier pushes to its topic. (4 is ``SEAL`` in ``records``.)"""
COMMAND = 6
"""A command, with its frame."""
ATTACHED, GONE, OBEYED = 7, 8, 9
"""What nodes say, with its frame."""
PRESENCE, ABSENT, SETTLED = 10, 11, 12
"""Who is online, with its frame."""


class Erasure(Struct, frozen=True):
    """All pushes to ``topic`` (a URI) before this entry are to be forgotten."""

    topic: str


Addition = Push | Erasure | StateEntry
"""What can be appended."""


_STATE_KINDS: dict[type[StateEntry], int] = {
    Command: COMMAND,
    NodeAttached: ATTACHED,
    NodeGone: GONE,
    Obeyed: OBEYED,
    PresenceChanges: PRESENCE,
    AbsencesOver: ABSENT,
    PresenceSettled: SETTLED,
}


class Entry(Struct, frozen=True, gc=False):
    """
    An entry that has its number.

    Attributes:
        kind: one of the numbers above, but for ``ERASED``; in a log also that, and numbers of other releases.
        id: idempotency key; empty for none.
        frame: exactly what is published.
    """

    position: Position
    kind: int
    id: str
    frame: bytes

    @property
    def kept(self) -> bytes:
        """The frame that the log keeps; empty where it keeps the number only."""
        return b"" if self.kind == NUMBER else self.frame


class Followed(Struct, frozen=True):
    """
    The entries that were committed after some number.

    Attributes:
        frames: the frames to publish, in order.
        position: ``frames`` has all frames up to here; entries without one were removed.
    """

    frames: Sequence[bytes]
    position: Position


def number_entries(additions: Sequence[Addition], tail: Position, run: str, proofs: Proofs) -> Iterator[Entry]:
    """Give numbers to ``additions``: those that follow ``tail``."""
    for sequence, addition in enumerate(additions, tail.sequence + 1):
        position = Position(tail.epoch, sequence)
        proof = proofs.of(position, run)
        match addition:
            case Push():
                kind = PUSH if addition.store else NUMBER
                yield Entry(position, kind, addition.id or "", encode_push_frame(position, run, addition, proof))
            case Erasure():
                yield Entry(position, ERASURE, "", encode_erase_frame(position, run, addition.topic, proof))
            case (
                Command()
                | NodeAttached()
                | NodeGone()
                | Obeyed()
                | PresenceChanges()
                | AbsencesOver()
                | PresenceSettled()
            ):
                id = addition.id if isinstance(addition, Command) else None
                frame = encode_state_frame(position, run, addition, proof)
                yield Entry(position, _STATE_KINDS[type(addition)], id or "", frame)
            case _:
                assert_never(addition)
