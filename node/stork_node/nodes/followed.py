"""The table of nodes at a relay: a snapshot of the publish server's, and the entries after it."""

from collections.abc import Iterable

from stork_node.nodes.table import NodeRow, NodeTable
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, StateFrame
from stork_node.protocol.commands.leases import Nodes


class FollowedNodes:
    """
    Attributes:
        table: the nodes as far as they are known; empty before there is a snapshot.
    """

    def __init__(self) -> None:
        self.table = NodeTable()
        self._epoch, self._number = "", -1
        self._early: list[StateFrame] = []

    @property
    def wants_snapshot(self) -> bool:
        return self._number < 0

    def begin(self) -> None:
        """Following begins, or begins anew: entries may have been missed."""
        self.table, self._number, self._early = NodeTable(), -1, []

    def take(self, frame: StateFrame) -> None:
        """Take an entry of the log."""
        if self.wants_snapshot:
            self._early.append(frame)
        else:
            self._apply([frame])

    def load(self, nodes: Nodes, epoch: str) -> None:
        """Take a snapshot, if it is of the epoch that is followed."""
        if not self.wants_snapshot or nodes.epoch != epoch:
            return
        rows = (NodeRow(each.incarnation, each.name, each.version, each.attached) for each in nodes.nodes)
        self.table = NodeTable(rows, nodes.gone)
        self._epoch, self._number = nodes.epoch, nodes.tail
        early, self._early = self._early, []
        self._apply(early)

    def _apply(self, frames: Iterable[StateFrame]) -> None:
        for frame in frames:
            number = frame.position.sequence
            if frame.position.epoch != self._epoch or number <= self._number:
                continue
            self._number = number
            if isinstance(frame.content, NodeAttached):
                self.table.attach(frame.content, number)
            elif isinstance(frame.content, NodeGone):
                self.table.end(frame.content)
