"""Presence at one node: what it says of its own users, and the table that it follows."""

from collections import OrderedDict

from stork_node.presence.followed import Changed, FollowedPresence
from stork_node.presence.local import LocalPresence
from stork_node.presence.table import PresenceTable
from stork_node.protocol.commands.entries import NodeGone, StateFrame
from stork_node.protocol.commands.leases import Leased
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceBatch, PresenceChanges

SILENT_S = 10.0
"""A node that is not attached for so long does not say who is online."""


_MOST_SENT = 100


class NodePresence:
    """
    Times are seconds of a clock that never goes back.

    Args:
        local: the users of this node.
        changed: is told of what each entry changes.

    Attributes:
        is_understood: whether the publish server takes presence, as its last answer said.
    """

    def __init__(self, local: LocalPresence, changed: Changed) -> None:
        self.local, self._followed = local, FollowedPresence(changed)
        self.is_understood = False
        self._incarnation = ""
        self._is_reported = False
        self._attached_at = float("-inf")
        self._sent: OrderedDict[int, int] = OrderedDict()

    @property
    def table(self) -> PresenceTable:
        return self._followed.table

    @property
    def followed(self) -> FollowedPresence:
        return self._followed

    def is_ready(self, now: float) -> bool:
        """Whether this node can say who is online: it knows the table, and the log knows its users."""
        is_known = self._followed.is_known and self.table.is_settled
        return is_known and self._is_reported and now - self._attached_at < SILENT_S

    @property
    def is_reported(self) -> bool:
        """Whether the log has the users whom this node had when it attached."""
        return self._is_reported

    def batch(self, incarnation: str, is_attached: bool) -> PresenceBatch | None:
        """What a lease of this incarnation is to say of users."""
        if incarnation != self._incarnation:
            self._incarnation, self._is_reported = incarnation, False
            self._sent.clear()
            self.local.begin_anew()
        if not (is_attached and self.is_understood):
            return None
        batch = self.local.next_batch()
        self._is_reported = self._is_reported or batch is None
        return batch

    def sent(self, number: int) -> None:
        """The lease with this number is on its way."""
        self._sent[number] = self.local.numbered
        if len(self._sent) > _MOST_SENT:
            self._sent.popitem(last=False)

    def answered(self, leased: Leased, now: float) -> bool:
        """Take an answer to a lease; returns whether the log has other batches than this node has said."""
        self.is_understood = leased.batches is not None
        if leased.incarnation != self._incarnation or leased.state != "attached":
            return False
        self._attached_at = now
        # The log may have come further since, and the node may know it: the bus is another connection.
        least = self._sent.pop(leased.number, None)
        if least is None or leased.batches is None:
            return False
        return not least <= leased.batches <= self.local.last_said

    def met(self, frame: StateFrame) -> bool:
        """Take an entry of the log; returns whether it is this node's batch."""
        self._followed.take(frame)
        content = frame.content
        if isinstance(content, NodeGone) and content.incarnation == self._incarnation:
            self._is_reported = False
        is_own = isinstance(content, PresenceChanges) and content.incarnation == self._incarnation
        if is_own and isinstance(content, PresenceChanges):
            self.local.met(content.batch)
            self._is_reported = self._is_reported or self.local.is_told
        return is_own

    def begin_anew(self) -> None:
        """There was a break."""
        self._followed.begin()

    def wants_rows(self, is_caught_up: bool) -> bool:
        """Whether to ask for the table."""
        return self.is_understood and is_caught_up and not self._followed.is_known

    def position(self, here: Position | None) -> Position | None:
        """The number that the table is of; ``here``: all entries up to here were taken."""
        known = self._followed.position
        if known is None or here is None or here.epoch != known.epoch:
            return known
        return max(known, here, key=lambda at: at.sequence)
