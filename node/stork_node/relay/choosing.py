"""When a node follows another publish server: the log of all of them is one, on an engine."""

SILENT_S = 3.0
"""A publish server sends a heartbeat each second."""
UNCONFIRMED_S = 3.0
UNCONFIRMED = "engine_unconfirmed_s"
"""The figure of a heartbeat that says how long ago the engine confirmed a write of its publish server."""
_PAUSE_S = 3.0
# Where no server has an engine, to change brings nothing.
_LONG_PAUSE_S = 10.0


class ServerChoice:
    """
    Times are seconds of a clock that never goes back.

    Args:
        now: when following began.
    """

    def __init__(self, now: float) -> None:
        self._changed_at = now

    def why_change(self, heard_at: float, unconfirmed_s: float, now: float) -> str:
        """
        Why the next publish server is to be followed from now on, as the end of a sentence; empty where it is not.

        Args:
            heard_at: when the last frame came.
            unconfirmed_s: what the last heartbeat said.
        """
        why = ""
        since_s = now - self._changed_at
        if now - heard_at >= SILENT_S and since_s >= _PAUSE_S:
            why = f"has been silent for {now - heard_at:.0f} s"
        elif unconfirmed_s >= UNCONFIRMED_S and since_s >= _LONG_PAUSE_S:
            why = f"has had nothing confirmed for {unconfirmed_s:.0f} s"
        if why:
            self._changed_at = now
        return why
