"""
Entries of the log: each has a number, a kind, and the frame that is published for it.

To add a kind: a number here, what is appended (an ``Addition``), its frame in ``bus``, and what a relay does with it.
A relay of an older release passes over a kind that it does not know (``bus.OtherFrame``).
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from stork_node.protocol.bus import encode_erase_frame, encode_push_frame
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.push_log.proofs import Proofs

PUSH = 1
"""A push with its frame."""
NUMBER = 2
"""A push with ``store: false``: its number only."""
ERASED = 3
"""A push whose frame was removed."""
ERASURE = 5
"""What was pushed to a topic before it is gone: the frame that says so."""


class Erasure(Struct, frozen=True):
    """What was pushed to ``topic`` (a URI) before this entry is to be forgotten."""

    topic: str


Addition = Push | Erasure
"""What can be appended."""


class Entry(Struct, frozen=True, gc=False):
    """
    An entry that has its number.

    Attributes:
        kind: ``PUSH``, ``NUMBER`` or ``ERASURE``; in a log also ``ERASED``, and numbers of other releases.
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
    What was committed after some number.

    Attributes:
        frames: to publish, in order.
        position: everything up to here is in ``frames``, or has no frame any more.
    """

    frames: Sequence[bytes]
    position: Position


def number_entries(additions: Sequence[Addition], tail: Position, run: str, proofs: Proofs) -> Iterator[Entry]:
    """Give numbers to ``additions``: those that follow ``tail``."""
    for sequence, addition in enumerate(additions, tail.sequence + 1):
        position = Position(tail.epoch, sequence)
        proof = proofs.of(position, run)
        if isinstance(addition, Push):
            kind = PUSH if addition.store else NUMBER
            yield Entry(position, kind, addition.id or "", encode_push_frame(position, run, addition, proof))
        else:
            yield Entry(position, ERASURE, "", encode_erase_frame(position, run, addition.topic, proof))
