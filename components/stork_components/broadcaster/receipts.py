"""What this node has written of a push with a receipt: how many sessions got it, were slow, were cut, were excluded."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import Any

from stork_node.protocol.bus import PushFrame

_MOST_KEPT = 1_000

Receivers = tuple[PushFrame, set[Any], set[Any]]
"""A push, the sessions that are to get it, and those that are excluded."""


class Receipts:
    """
    Each session counts once, for what became of it when the push was written:

    - ``sent``: its socket took all bytes that wait for it, or it is on this process's side.
    - ``slow``: some bytes wait for it.
    - ``cut``: its connection was ended, as it did not keep up or could not take the event.
    - ``excluded``: it would have got it.
    """

    def __init__(self, waiting_bytes: Callable[[Any], int], is_closing: Callable[[Any], bool]) -> None:
        self._waiting_bytes, self._is_closing = waiting_bytes, is_closing
        self._counts: OrderedDict[int, dict[str, int]] = OrderedDict()

    def expect(
        self, pushes: Iterable[PushFrame], receivers: Callable[[str], Collection[Any]], excluded: Callable[[int], Any]
    ) -> list[Receivers]:
        """Who is to get the pushes of this turn that have a receipt; to be called before they are written."""
        expected = []
        for push in pushes:
            if push.receipt:
                all_of_them = {session for topic in push.topics for session in receivers(topic)}
                left_out = {session for each in push.exclude if (session := excluded(each)) in all_of_them}
                getting = {each for each in all_of_them - left_out if not self._is_closing(each)}
                expected.append((push, getting, left_out))
        return expected

    def note(self, expected: Iterable[Receivers]) -> None:
        """They are written."""
        for push, getting, left_out in expected:
            counts = {"sent": 0, "slow": 0, "cut": 0, "excluded": len(left_out)}
            for session in getting:
                counts[self._outcome(session)] += 1
            self._counts[push.position.sequence] = counts
            if len(self._counts) > _MOST_KEPT:
                self._counts.popitem(last=False)

    def take(self, number: int) -> dict[str, int]:
        """The counts of the push with this number; zeros if this node did not write it."""
        return self._counts.pop(number, {"sent": 0, "slow": 0, "cut": 0, "excluded": 0})

    def _outcome(self, session: Any) -> str:
        if self._is_closing(session):
            return "cut"
        return "slow" if self._waiting_bytes(session) else "sent"
