"""What a publish server wants of the place where the log lives (docs/engine.md)."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from stork_node.engines.consumers import Consumers
from stork_node.nodes.log_state import LogState
from stork_node.protocol.commands.documents import RECEIPT, Command
from stork_node.protocol.commands.leases import Lease
from stork_node.protocol.positions import Position
from stork_node.push_log.entries import Addition
from stork_node.push_log.interface import Log


class Known(Struct, frozen=True):
    """
    The id of a document is that of an earlier one, at ``position``.

    Attributes:
        is_reused: whether the earlier one had another content.
    """

    position: Position
    is_reused: bool = False


class Failed(Struct, frozen=True):
    """
    The entry has no number.

    Attributes:
        is_unknown: whether the entry may be stored all the same, so that nobody may be told either.
        is_away: whether nothing can be stored now, and that ends by itself.
    """

    reason: str
    is_unknown: bool = False
    is_away: bool = False


Appended = Position | Known | Failed
"""What became of one entry; a position once the entry is committed."""


def is_receipt(addition: Addition) -> bool:
    """Whether an entry asks for the receipt of the push before it."""
    return isinstance(addition, Command) and addition.kind == RECEIPT


class Engine(Log, Protocol):
    """
    A log that several publish servers may share.

    Attributes:
        place: says in a log line where the entries are kept.
        wake: a file descriptor that can be read when another publish server has appended; None where there is none.
            ``tick`` is to be called then, too.
        consumers: who of several publish servers tells what; None where there is only one.
    """

    place: str
    wake: int | None
    consumers: Consumers | None

    @property
    def state(self) -> LogState:
        """The nodes and the commands, as of the tail."""

    def is_current(self, now: float) -> bool:
        """Whether the tail's epoch is known to be the last one: another one may have begun elsewhere."""

    def advance(self, awake: float) -> None:
        """Take the time by which ids are kept, in seconds: a process that is stopped forgets nothing meanwhile."""

    def catch_up(self, sequence: int) -> bool:
        """
        Take what other publish servers have committed, if the tail is below ``sequence``.

        Returns:
            Whether the engine could be asked.
        """

    def append(self, additions: Sequence[Addition]) -> list[Appended]:
        """
        Number, store and commit a batch; says of each what became of it.

        A document whose id is known is not stored again, nor is an entry that ``state`` does not accept. What asks for
        a receipt is stored with the push before it, or not at all.
        """

    def share_lease(self, lease: Lease) -> None:
        """A node has said to this publish server that it lives: the others are to know."""

    def take_leases(self) -> list[Lease]:
        """What nodes have said to other publish servers since the last call."""

    def figures(self, now: float) -> dict[str, float]:
        """Its state for metrics, by name."""
