"""Limits of so many a second."""

from collections import OrderedDict


class Allowance:
    """
    Args:
        per_s: how many a second; the first second's worth is there at the start.
        largest: how many one request may have; they are never refused for ever.
    """

    __slots__ = ("_at", "_left", "_most", "_per_s")

    def __init__(self, per_s: float, largest: int, now: float) -> None:
        self._per_s, self._most = per_s, max(per_s, float(largest))
        self._left, self._at = self._most, now

    def take(self, number: int, now: float) -> bool:
        """Whether so many are allowed now; then they are counted."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if number > self._left:
            return False
        self._left -= number
        return True


class AllowanceOfEach:
    """
    A limit for each of many, who are known by a name. Who has asked for nothing in a second is forgotten.

    Args:
        per_s: how many a second each of them has.
    """

    # A full allowance, as each has again after that time, is as good as a new one.
    _FORGOTTEN_AFTER_S = 1.0

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        # Who asked last is at the end.
        self._of: OrderedDict[str, tuple[Allowance, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def take(self, name: str, now: float) -> bool:
        """Whether ``name`` may have one more now; then it is counted."""
        known = self._of.pop(name) if name in self._of else None
        allowance = known[0] if known else Allowance(self._per_s, 1, now)
        self._of[name] = allowance, now
        while next(iter(self._of.values()))[1] < now - self._FORGOTTEN_AFTER_S:
            self._of.popitem(last=False)
        return allowance.take(1, now)
