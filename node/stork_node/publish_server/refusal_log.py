"""Logging refused pushes without flooding the log."""

import logging
from collections import Counter

SUMMARY_S = 10.0


class RefusalLog:
    """
    The first refusal of a kind is logged at once with its reason, more of them as one line at most each ten seconds.

    A kind that stays away for one summary is new again. Time is passed in, in seconds of a clock that never goes back.
    """

    def __init__(self, log: logging.Logger, summary_s: float = SUMMARY_S) -> None:
        self._log, self._summary_s = log, summary_s
        self._more: Counter[str] = Counter()
        self._known: dict[str, str] = {}  # kind → its latest reason
        self._since = 0.0

    def note(self, kind: str, reason: str, where: str, now: float) -> None:
        """One push was refused, that came in at ``where``."""
        if not self._known:
            self._since = now
        if kind in self._known:
            self._more[kind] += 1
        else:
            self._log.warning("refused a push on %s: %s", where, reason)
        self._known[kind] = reason

    def due(self, now: float) -> float | None:
        """Seconds until ``summarize`` has something to do; None where nothing was refused."""
        return max(0.0, self._since + self._summary_s - now) if self._known else None

    def summarize(self, now: float) -> None:
        """Log what was not logged one by one, if the time has come."""
        if self.due(now) != 0:
            return
        if self._more:
            counts = "; ".join(f"{count:,} times: {self._known[kind]}" for kind, count in self._more.most_common())
            self._log.warning(
                "refused %s more pushes in %.0f s, with the latest reason of each kind: %s",
                f"{self._more.total():,}",
                now - self._since,
                counts,
            )
        self._known = {kind: self._known[kind] for kind in self._more}
        self._more.clear()
        self._since = now
