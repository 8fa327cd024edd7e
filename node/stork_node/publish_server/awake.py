"""A clock that stands still while this process does."""


class AwakeClock:
    """
    Seconds in which a process ran: time for which it was stopped, or its machine asleep, does not count.

    Its loop says the time at each turn; what is beyond ``longest_turn_s`` between two of them is taken for a stop. So
    an id is still known when the process was stopped between storing its push and answering.
    """

    def __init__(self, longest_turn_s: float, now: float) -> None:
        self._longest_turn_s, self._before = longest_turn_s, now
        self.now = 0.0

    def advance(self, now: float) -> float:
        """Take the time ``now`` of a clock that never goes back; returns this clock's."""
        self.now += min(now - self._before, self._longest_turn_s)
        self._before = now
        return self.now
