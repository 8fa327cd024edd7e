"""Leases: which attached nodes have been silent for too long, by the watching server's own awake time."""

from collections.abc import Iterable

LEASE_S = 10.0
"""A node that says nothing for so long is gone."""
STALL_S = 3.0
"""A longer gap between two looks counts as a stall of the server, which then knows nothing about its nodes."""


class Leases:
    """
    Times are seconds of a clock that never goes back. A node's time begins when it is first looked at.

    After a stall, and in a new epoch, all watching begins anew: what was said meanwhile may not be read yet.
    """

    def __init__(self) -> None:
        self._raised: dict[str, float] = {}
        self._looked_at: float | None = None

    def raise_for(self, incarnation: str, now: float) -> None:
        """The node has said that it lives."""
        self._raised[incarnation] = now

    def age_s(self, incarnation: str, now: float) -> float:
        """How long ago the node said so, or was first looked at."""
        return now - self._raised.get(incarnation, now)

    def silent(self, attached: Iterable[str], now: float) -> list[str]:
        """Of the attached nodes, those that are gone; to be called each second or more often."""
        if self._looked_at is not None and now - self._looked_at > STALL_S:
            self._raised = dict.fromkeys(self._raised, now)
        self._looked_at = now
        known = list(attached)
        self._raised = {each: self._raised.get(each, now) for each in known}
        return [each for each in known if now - self._raised[each] >= LEASE_S]

    def begin_anew(self) -> None:
        """A new epoch has begun: no node is known."""
        self._raised = {}
