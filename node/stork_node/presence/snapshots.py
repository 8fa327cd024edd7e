"""The snapshots of presence that a publish server keeps for nodes that begin."""

from typing import Any

from stork_node.presence.rows import Part, split
from stork_node.presence.table import PresenceTable
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.snapshots import PresenceRequest, PresenceRows

KEPT_S = 60.0
_SHARED_S = 2.0
"""Nodes that ask at about the same time get the same one."""


class Snapshots:
    """One snapshot at a time. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._is_settled = True
        self._at = Position("", 0)
        self._made_at = self._used_at = float("-inf")
        self._count = 0

    def part(
        self, request: PresenceRequest, table: PresenceTable, tail: Position, run: str, now: float
    ) -> PresenceRows:
        """Answer a request."""
        if not request.snapshot and (now - self._made_at > _SHARED_S or self._at.epoch != tail.epoch):
            self._make(table, tail, now)
        self._used_at = now
        is_kept = bool(self._parts) and request.snapshot in ("", self._name) and request.part < len(self._parts)
        if not is_kept:
            return PresenceRows(tail.epoch, run, tail.sequence, "", 0, 0, table.is_settled)
        part, count = self._parts[request.part], len(self._parts)
        rooms: Any = part.rooms
        at = self._at
        return PresenceRows(
            at.epoch, run, at.sequence, self._name, request.part, count, self._is_settled, rooms, part.absent
        )

    def forget_old(self, now: float) -> None:
        """Free what nobody asks for."""
        if self._parts and now - self._used_at > KEPT_S:
            self._parts, self._made_at = [], float("-inf")

    @property
    def _name(self) -> str:
        return f"{self._at.sequence}-{self._count}"

    def _make(self, table: PresenceTable, tail: Position, now: float) -> None:
        self._parts, self._is_settled = list(split(table)), table.is_settled
        self._at, self._made_at = tail, now
        self._count += 1
