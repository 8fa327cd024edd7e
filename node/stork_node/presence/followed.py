"""The table of presence at a relay: a snapshot of the publish server's, and the entries after it."""

from collections.abc import Callable

from stork_node.presence.rows import add_rows
from stork_node.presence.table import Change, PresenceTable
from stork_node.protocol.commands.entries import NodeGone, StateFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import AbsencesOver, PresenceChanges, PresenceSettled
from stork_node.protocol.presence.snapshots import PresenceRequest, PresenceRows

Changed = Callable[[Position, int, list[Change]], None]
"""Is called with the position of an entry, its time in ms since 1970, and what it has changed."""


class FollowedPresence:
    """
    Args:
        changed: is told of what each entry changes, in order.

    Attributes:
        table: as of ``position``.
        position: None before the table is known.
        entries: how many about users were taken since the start.
        begun: changes after it are told; in a new epoch, none is told before the table is settled.
    """

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self.entries = 0
        self.begin()

    def begin(self) -> None:
        """Following begins, or begins anew: entries may have been missed."""
        self.table = PresenceTable()
        self.position: Position | None = None
        self.begun: Position | None = None
        self._early: list[StateFrame] = []
        self._wanted = PresenceRequest()
        self._asked_at: Position | None = None

    @property
    def is_known(self) -> bool:
        return self.position is not None

    def request(self, here: Position) -> PresenceRequest:
        """
        What to ask for next, until the table is known.

        Args:
            here: all entries up to here are behind this node; a snapshot is of a later number.
        """
        if self._asked_at is None or self._asked_at.epoch != here.epoch:
            self._asked_at = here
        return self._wanted

    def load(self, rows: PresenceRows) -> bool:
        """Take a part, if it is the one that was asked for; returns whether another is to be asked for at once."""
        asked, wanted = self._asked_at, self._wanted
        if self.is_known or asked is None or rows.part != wanted.part:
            return False
        if wanted.snapshot and rows.snapshot != wanted.snapshot:
            self._start_over()
            return True
        if rows.epoch != asked.epoch or rows.tail < asked.sequence or not rows.snapshot:
            self._start_over()
            return False
        add_rows(self.table, rows.rooms, rows.absent)
        if rows.part + 1 < rows.parts:
            self._wanted = PresenceRequest(rows.snapshot, rows.part + 1)
            return True
        self.table.is_settled = rows.is_settled
        self.position = self.begun = Position(rows.epoch, rows.tail)
        early, self._early = self._early, []
        for frame in early:
            self._apply(frame)
        return False

    def take(self, frame: StateFrame) -> None:
        """Take an entry of the log."""
        if self.is_known:
            self._apply(frame)
        elif self._asked_at is not None:
            self._early.append(frame)

    def _start_over(self) -> None:
        self.table, self._wanted = PresenceTable(), PresenceRequest()

    def _apply(self, frame: StateFrame) -> None:
        at, content = frame.position, frame.content
        if self.position is None or at.epoch != self.position.epoch or at.sequence <= self.position.sequence:
            return
        self.position = at
        if isinstance(content, NodeGone):
            self.table.end_node(content.incarnation, at.sequence)
        elif isinstance(content, PresenceChanges | AbsencesOver | PresenceSettled):
            self.entries += 1
            was_settled = self.table.is_settled
            changes = self.table.apply(content, at.sequence)
            if not was_settled:
                self.begun = at
            elif changes:
                self._changed(at, content.at_ms, changes)
