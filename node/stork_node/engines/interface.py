"""What a publish server wants of the place where the log lives (docs/engine.md)."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from stork_node.engines.consumers import Consumers
from stork_node.nodes.log_state import LogState
from stork_node.protocol.commands.documents import RECEIPT, Command
from stork_node.protocol.commands.leases import Lease
from stork_node.protocol.positions import Position
from stork_node.push_log.entries import Addition, Followed
from stork_node.push_log.segment_files.reading import Page


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


class Engine(Protocol):
    """
    One sequence of entries in one epoch, which several publish servers may share. To be used by one thread.

    Attributes:
        place: says in a log line where the entries are kept.
        run: names the lineage of the log on the bus.
        continues: whether it goes on with numbers of an epoch that a relay may know more of.
        wake: a file descriptor that can be read when another publish server has appended; None where there is none.
        consumers: who of several publish servers tells what; None where there is only one.
    """

    place: str
    run: str
    continues: bool
    wake: int | None
    consumers: Consumers | None

    @property
    def state(self) -> LogState:
        """The nodes and the commands, as of the tail."""

    @property
    def tail(self) -> Position:
        """The position of the last entry that is committed; retention does not change it."""

    @property
    def floor(self) -> int:
        """The sequence before the first entry of this epoch that can still be read; at most the tail's."""

    @property
    def epochs(self) -> set[str]:
        """The tail's epoch, and those before it that are remembered."""

    @property
    def trouble(self) -> str:
        """What is refused now, besides appends; empty when all is well."""

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

    def follow(self, after: int) -> Followed:
        """
        What was committed after sequence ``after``, for the bus: all that is published comes from here.

        Raises:
            BeyondLog: as ``read``.
            StorageFailed: the engine is away.
        """

    def read(self, after: int, max_bytes: int) -> Page:
        """
        Read what follows sequence ``after``: one entry at least, unless that is the tail's.

        Args:
            after: of this epoch, from ``floor`` to the tail's.
            max_bytes: of the page, unless its only entry is larger.

        Raises:
            BeyondLog: not that far back, or damaged there, which raises ``floor``; or ``after`` is past the tail.
            StorageFailed: the engine is away.
        """

    def place_before(self, keep_s: float, keep_bytes: int) -> int:
        """
        Where to ``read`` after, to get what is of the last ``keep_s``, and about ``keep_bytes`` at most.

        Raises:
            StorageFailed: the engine is away.
        """

    def erase(self, topic: str) -> Iterator[int]:
        """
        Remove what was pushed to a topic, in steps of some 0.1 s; yields how many pushes each step found.

        Positions stay as they are.

        Raises:
            StorageFailed: some of it may still be there; to be tried again.
            DamagedLog: damage.
        """

    def begin_new_epoch(self) -> Position:
        """Give no more numbers of this epoch, since somebody has seen more of them; returns the new tail."""

    def prove(self, sequence: int) -> str:
        """The proof that this run gave ``sequence``, of this epoch; empty where ``run`` needs none."""

    def has_given(self, position: Position, run: str, proof: str) -> bool:
        """Whether ``proof`` shows that ``run``, over this log or a copy of it, gave ``position``."""

    def share_lease(self, lease: Lease) -> None:
        """A node has said to this publish server that it lives: the others are to know."""

    def take_leases(self) -> list[Lease]:
        """What nodes have said to other publish servers since the last call."""

    def figures(self, now: float) -> dict[str, float]:
        """Its state for metrics, by name."""

    def due(self, now: float) -> float:
        """Seconds until ``tick`` has something to do."""

    def tick(self, now: float) -> None:
        """
        Do what is due: to be called each second, or more often, and when ``wake`` can be read.

        Args:
            now: seconds of a clock that never goes back.
        """

    def close(self) -> None:
        """Let go of the log, so that its epoch goes on; the second time, do nothing."""
