"""Logging refused pushes without flooding the log, and without the cost of a line for each."""

import logging

from stork_node.logs.process_log import COUNTED
from stork_node.logs.repeats import Repeats


class RefusalLog:
    """What is refused, counted as ``Repeats`` does. Time is passed in, in seconds of a clock that never goes back."""

    def __init__(self, log: logging.Logger) -> None:
        self._log, self._repeats = log, Repeats()

    def note(self, kind: str, reason: str, where: str, now: float) -> None:
        """One push was refused, that came in at ``where``."""
        self._note(kind, f"refused a push on {where}: {reason}", where, now)

    def note_warning(self, warning: str, where: str, now: float) -> None:
        """One push is stored, and reaches nobody."""
        self._note("warning", f"a push on {where} reaches nobody: {warning}", where, now)

    def note_peer(self, reason: str, where: str, now: float) -> None:
        """One peer was refused, that came to ``where``."""
        self._note("key", f"refused {reason} on {where}", where, now)

    def _note(self, kind: str, text: str, where: str, now: float) -> None:
        if self._repeats.note(("warn", kind, where), text, now):
            self._log.warning("%s", text, extra=COUNTED)

    def due(self, now: float) -> float | None:
        """Seconds until ``summarize`` has something to do; None where nothing was refused."""
        return self._repeats.due(now)

    def summarize(self, now: float) -> None:
        """Log what was not logged one by one, if the time has come."""
        for _, text in self._repeats.summaries(now):
            self._log.warning("%s", text, extra=COUNTED)
