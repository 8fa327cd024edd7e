"""The limit of pushes a second, for each key."""


class Allowance:
    """
    Args:
        per_s: pushes a second; the first second's worth is there at the start.
        largest: pushes that one request may have; they are never refused for ever.
    """

    def __init__(self, per_s: float, largest: int, now: float) -> None:
        self._per_s, self._most = per_s, max(per_s, float(largest))
        self._left, self._at = self._most, now

    def take(self, pushes: int, now: float) -> bool:
        """Whether so many pushes are allowed now; then they are counted."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if pushes > self._left:
            return False
        self._left -= pushes
        return True
