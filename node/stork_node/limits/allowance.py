"""A limit of so many a second."""


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
