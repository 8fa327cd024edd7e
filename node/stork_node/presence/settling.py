"""When the table of who is online is the truth again, after a new epoch has begun with an empty one."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

SETTLING_S = 10.0
"""A node that has said nothing for so long is not waited for."""
_LONGEST_S = 60.0


class Reporting(NamedTuple):
    """
    How far an attached node is with telling its users.

    Attributes:
        is_done: whether the log has all that it had to say when it attached; None from a release that does not say so.
        silent_s: how long it has said nothing.
    """

    name: str
    is_done: bool | None
    silent_s: float


class Settling:
    """Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._began_at: float | None = None

    def begin_anew(self) -> None:
        """A new epoch has begun."""
        self._began_at = None

    def is_over(self, nodes: Iterable[Reporting], awaited: Collection[str] | None, now: float) -> bool:
        """
        Whether every node has told its users, or is silent; to be called while the table is not settled.

        Args:
            nodes: those that are attached.
            awaited: the names of those of the epoch before; None where they are not known.
        """
        if self._began_at is None:
            self._began_at = now
        nodes, waited_s = list(nodes), now - self._began_at
        if waited_s >= _LONGEST_S:
            return True
        if any(each.is_done is False and each.silent_s < SETTLING_S for each in nodes):
            return False
        if waited_s >= SETTLING_S:
            return True
        are_all_here = awaited is not None and set(awaited) <= {each.name for each in nodes}
        return are_all_here and all(each.is_done for each in nodes)
