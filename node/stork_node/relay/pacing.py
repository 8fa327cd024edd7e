"""How much of a flood one turn of the reactor takes, so that joins, pings and calls get their share."""

TURN_S = 0.03
LEAST, MOST = 16, 20_000
MOST_BYTES = 8 << 20


class TurnSize:
    """Learns from each turn how many ``messages`` the next one can take to last about 30 ms."""

    def __init__(self) -> None:
        self.messages = 256

    def note(self, taken: int, elapsed_s: float) -> None:
        """A turn took so many messages, and lasted so long (seconds)."""
        if taken == 0 or (elapsed_s <= TURN_S and taken < self.messages):
            return  # it says nothing of what a full turn would need
        wanted = int(taken * TURN_S / max(elapsed_s, 1e-4))
        # Half way up and all the way down: a turn that is too long hurts, one that is too short does not.
        self.messages = max(LEAST, min(MOST, wanted, 2 * self.messages))
