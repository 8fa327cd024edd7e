"""A line of the log that strangers can cause, said once in a while for each kind."""

INTERVAL_S = 60.0


class Rarely:
    """Time is passed in, in seconds of a clock that never goes back. There are few kinds; none is a client's word."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._said_at: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def due(self, kind: str, now: float) -> int | None:
        """
        It has happened.

        Returns:
            How often it had happened without being said before; None where it is not to be said now, either.
        """
        said_at = self._said_at.get(kind)
        if said_at is not None and now - said_at < self._interval_s:
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            return None
        self._said_at[kind] = now
        return self._unsaid.pop(kind, 0)
