"""Which absences are over, by the awake time of the publish server that watches them."""

from collections.abc import Iterator
from itertools import islice

from stork_node.nodes.leases import STALL_S
from stork_node.presence.table import PresenceTable
from stork_node.protocol.presence.entries import AbsencesOver
from stork_node.protocol.presence.limits import MOST_ABSENCES

_Key = tuple[str, str]


class Absences:
    """
    Times are seconds of a clock that never goes back. An absence counts from when it was first looked at.

    After a stall, and in a new epoch, all watching begins anew: a user may have come back, and nobody has read it yet.
    """

    def __init__(self) -> None:
        self._since: dict[_Key, tuple[int, float]] = {}
        self._looked_at: float | None = None

    def begin_anew(self) -> None:
        """A new epoch has begun."""
        self._since.clear()

    def over(self, table: PresenceTable, now: float, at_ms: int) -> Iterator[AbsencesOver]:
        """The entries that are due; to be called several times a second."""
        if self._looked_at is not None and now - self._looked_at > STALL_S:
            self._since = {key: (number, now) for key, (number, _) in self._since.items()}
        self._looked_at = now
        earlier, self._since = self._since, {}
        due = []
        for key, number in table.absent.items():
            known = earlier.get(key)
            since = known[1] if known and known[0] == number else now
            self._since[key] = number, since
            if (now - since) * 1000 >= table.rooms[key[0]].wait_ms:
                due.append((*key, number))
        ended = iter(due)
        while some := tuple(islice(ended, MOST_ABSENCES)):
            yield AbsencesOver(some, at_ms)
