"""The log: numbers pushes, keeps them, and knows its tail. Still in memory: it keeps the tail only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stork_node.bus import encode_push_frame
from stork_node.errors import StorkError
from stork_node.positions import Position, new_epoch, new_run
from stork_node.push import Push


class StorageFailed(StorkError):
    """The log could not take a batch: nothing of it is stored, and no number is used up."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot store: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Entry:
    """A push that is stored: its position, and the exact frame to publish."""

    position: Position
    frame: bytes


class Log(Protocol):
    """What the publish server needs of a log."""

    run: str

    @property
    def tail(self) -> Position:
        """The position of the last push, or sequence 0 of the epoch."""

    def append(self, pushes: Sequence[Push]) -> list[Entry]:
        """
        Number and store a batch, whole or not at all; one write for all of it.

        Raises:
            StorageFailed: none of it is stored.
        """


class MemoryLog:
    """A log that forgets: after a restart a new epoch begins."""

    def __init__(self, epoch: str | None = None) -> None:
        self._epoch = epoch or new_epoch()
        self.run = new_run()
        self._sequence = 0

    @property
    def tail(self) -> Position:
        return Position(self._epoch, self._sequence)

    def append(self, pushes: Sequence[Push]) -> list[Entry]:
        entries = []
        for sequence, push in enumerate(pushes, self._sequence + 1):
            position = Position(self._epoch, sequence)
            entries.append(Entry(position, encode_push_frame(position, self.run, push)))
        self._sequence += len(entries)
        return entries
