"""What has come from a peer, and how much of it still waits."""


class Inflow:
    """
    Counts the bytes of one connection. Besides messages, a peer sends heartbeats, which nobody can count.

    So ``control_bytes`` a second are taken for heartbeats, for as long as the connection lasts. What is not used does
    not add up: a peer cannot be silent for a day, and then have a day's bytes overlooked at once.

    Args:
        control_bytes: what heartbeats may need, in bytes a second.
        now: seconds of a clock that never goes back, as all times here.

    Attributes:
        taken: bytes of the messages that were taken, or a few more.
    """

    __slots__ = ("_control", "_control_bytes", "_measured_at", "taken")

    def __init__(self, control_bytes: float, now: float) -> None:
        self._control_bytes, self._measured_at = control_bytes, now
        self._control = 0.0
        self.taken = 0

    def measure(self, received: int, now: float) -> int:
        """Returns how many bytes wait, of ``received`` in all."""
        self.taken = min(self.taken, received)
        self._control = min(self._control, received - self.taken)
        waits = received - self.taken - self._control
        passed = min(waits, self._control_bytes * (now - self._measured_at))
        self._control += passed
        self._measured_at = now
        return int(waits - passed)
