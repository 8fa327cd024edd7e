"""
The state that the log keeps beside its entries: nodes, reports, commands and presence, as of one number.

A log applies each entry as it appends it, and writes the state down now and then. A process that opens the log reads
what was written, and applies the entries after it.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec
from msgspec import Struct

from stork_node.nodes.commands import Commands, GivenCommand
from stork_node.nodes.revocations import Revocations
from stork_node.nodes.table import NodeRow, NodeTable
from stork_node.presence.rows import SavedPresence, restore, save
from stork_node.presence.table import PresenceTable
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed, StateEntry
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import AbsencesOver, PresenceChanges, PresenceSettled


class _Snapshot(Struct):
    epoch: str
    sequence: int
    nodes: list[NodeRow]
    gone: list[str]
    reports: dict[str, int]
    commands: list[GivenCommand]
    revoked: dict[str, int] = {}
    batches: dict[str, int] = {}
    presence: SavedPresence | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Snapshot).decode


class LogState:
    """
    Attributes:
        position: all entries up to here are in it.
        nodes: who is attached.
        commands: the commands that are kept, with their outcomes.
        revoked: whose tokens are too old; a new epoch changes nothing about them.
        presence: who is online.
        awaited: the names of the nodes of the epoch before, while presence is not settled; None where none is known.
    """

    def __init__(
        self,
        position: Position,
        revoked: Revocations | None = None,
        is_settled: bool = True,
        awaited: frozenset[str] | None = None,
    ) -> None:
        self.position = position
        self.revoked = revoked or Revocations()
        self.nodes = NodeTable()
        self.commands = Commands()
        self.presence = PresenceTable(is_settled)
        self.awaited = awaited
        self._reports: dict[str, int] = {}
        self._batches: dict[str, int] = {}

    def last_report(self, incarnation: str) -> int:
        """The number of a node's last report in the log; 0 before its first."""
        return self._reports.get(incarnation, 0)

    def last_batch(self, incarnation: str) -> int:
        """The number of a node's last batch about its users; 0 before its first."""
        return self._batches.get(incarnation, 0)

    def accepts(self, entry: StateEntry) -> bool:
        """
        Whether an entry may be appended now.

        Nobody appends for the dead; a node attaches once, ends once, and numbers its reports, and its batches, 1, 2, …
        """
        match entry:
            case Command():
                return True
            case NodeAttached():
                return entry.incarnation not in self.nodes and not self.nodes.is_gone(entry.incarnation)
            case NodeGone():
                return entry.incarnation in self.nodes
            case Obeyed():
                is_next = entry.report == self.last_report(entry.incarnation) + 1
                return entry.incarnation in self.nodes and is_next
            case PresenceChanges():
                is_next = entry.batch == self.last_batch(entry.incarnation) + 1
                return entry.incarnation in self.nodes and is_next
            case AbsencesOver():
                return True
            case PresenceSettled():
                return not self.presence.is_settled
            case _:
                assert_never(entry)

    def apply(self, entry: StateEntry, number: int) -> None:
        """Take an entry that has got its number."""
        match entry:
            case Command():
                self.commands.begin(entry, number, self.nodes.labels())
                self.revoked.note(entry)
            case NodeAttached():
                self.nodes.attach(entry, number)
            case NodeGone():
                self.nodes.end(entry)
                self.commands.gone(entry.incarnation)
                self._reports.pop(entry.incarnation, None)
                self._batches.pop(entry.incarnation, None)
                self.presence.end_node(entry.incarnation, number)
            case Obeyed():
                self._reports[entry.incarnation] = entry.report
                self.commands.obeyed(entry.incarnation, entry.command, entry.counts)
            case PresenceChanges() | AbsencesOver() | PresenceSettled():
                if isinstance(entry, PresenceChanges):
                    self._batches[entry.incarnation] = entry.batch
                self.presence.apply(entry, number)
            case _:
                assert_never(entry)

    def awaited_next(self) -> frozenset[str] | None:
        """Whom to wait for if a new epoch begins now."""
        names = frozenset(row.name for row in self.nodes.rows)
        if self.presence.is_settled:
            return names
        return None if self.awaited is None else names | self.awaited

    def encode(self) -> bytes:
        """The state as JSON."""
        at, nodes = self.position, self.nodes
        return _encode(
            _Snapshot(
                at.epoch,
                at.sequence,
                nodes.rows,
                nodes.gone,
                self._reports,
                self.commands.given,
                self.revoked.by_user,
                self._batches,
                save(self.presence),
            )
        )

    @classmethod
    def decode(cls, snapshot: bytes) -> "LogState | None":
        """What ``encode`` wrote; None for anything else."""
        try:
            read = _decode(snapshot)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        state = cls(Position(read.epoch, read.sequence), Revocations(read.revoked))
        state.nodes = NodeTable(read.nodes, read.gone)
        state.commands = Commands(read.commands)
        state._reports, state._batches = dict(read.reports), dict(read.batches)
        if read.presence:
            state.presence = restore(read.presence)
        return state


def apply_frames(state: LogState, entries: Iterable[tuple[int, StateEntry]]) -> None:
    """Apply entries with their numbers, in order; those that the state has already are passed over."""
    for number, entry in entries:
        if number > state.position.sequence:
            state.apply(entry, number)
            state.position = Position(state.position.epoch, number)
