"""What the publish server wants of a log, wherever it is kept (docs/delivery.md#log)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from stork_node.nodes.log_state import LogState
from stork_node.protocol.positions import Position
from stork_node.push_log.entries import Addition, Entry, Followed
from stork_node.push_log.segment_files.reading import Page

Stored = list[tuple[str, Position]]
"""Ids with the positions where they were stored."""


class Log(Protocol):
    """
    One sequence of entries in one epoch. To be used by one thread.

    Attributes:
        run: names this holding of the log, or its lineage, on the bus.
        continues: whether it goes on with numbers of an epoch that there was before.
    """

    run: str
    continues: bool

    @property
    def tail(self) -> Position:
        """The position of the last entry that is committed; retention does not change it."""

    @property
    def floor(self) -> int:
        """The sequence before the first entry of this epoch that can still be read; at most the tail's."""

    @property
    def epochs(self) -> set[str]:
        """The tail's epoch, those of what can still be read, and those before that are remembered."""

    @property
    def trouble(self) -> str:
        """What is refused now, besides appends; empty when all is well."""

    def follow(self, after: int) -> Followed:
        """
        What was committed after sequence ``after``, for the bus: all that is published comes from here.

        Of pushes with ``store: false`` those of the last append have a frame.

        Raises:
            BeyondLog, StorageFailed: as ``read``.
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

    def due(self, now: float) -> float:
        """Seconds until ``tick`` has something to do."""

    def tick(self, now: float) -> None:
        """
        Do what is due: to be called each second, or more often.

        Args:
            now: seconds of a clock that never goes back.
        """

    def close(self) -> None:
        """Let go of the log, so that its epoch goes on; the second time, do nothing."""


class PushLog(Log, Protocol):
    """
    A log in files, for one process.

    Attributes:
        folder: where it is kept.
        state: the nodes and the commands, as of the tail; whoever appends asks it what it accepts.
    """

    folder: Path
    state: LogState

    def append(self, additions: Sequence[Addition]) -> list[Entry]:
        """
        Number and store a batch, whole or not at all.

        Raises:
            StorageFailed: none of it is stored, and no number is used up; to be tried again.
        """

    def recent_ids(self) -> list[tuple[float, Stored]]:
        """
        The ids of the last pushes, oldest first: how old, in seconds, with the ids of that age.

        The time during which no process held the log does not count: an answer that was lost with the process may be
        asked for again when there is another one.

        Raises:
            DamagedLog: damage.
        """

    def figures(self) -> dict[str, float]:
        """Its state for metrics, by name."""
