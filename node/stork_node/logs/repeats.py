"""Repeated lines: shown once, and then counted. Every log of this project uses this."""

import logging
from dataclasses import dataclass, field

PERIOD_S = 10.0
TEXTS = 5
KINDS = 64
ONCE = "once: "
"""A subject that begins with this has one line, whatever its text: a traceback, which its summaries do not repeat."""
_TRACEBACK = " | Traceback (most recent call last)"

Kind = tuple[str, str, str]
"""Level, logger, and subject: a text in the program, which no client can choose."""


def subject_of(record: logging.LogRecord) -> str:
    """The subject of a record: its ``extra["subject"]``, or its format."""
    return str(getattr(record, "subject", record.msg))


@dataclass
class _Seen:
    texts: set[str] = field(default_factory=set)
    more: int = 0
    latest: str = ""


class Repeats:
    """
    The first ``TEXTS`` different lines of a kind are shown at once. Further lines of the kind are counted, and summed
    up in one line at most each ``PERIOD_S`` seconds. Of a kind whose subject begins with ``ONCE`` one line is shown.

    A kind without lines for one period is new again. Time is passed in, in seconds of a clock that never goes back.
    Kinds beyond the first ``KINDS`` are counted together.

    Args:
        period_s: in place of ``PERIOD_S``.
        texts: in place of ``TEXTS``.
    """

    def __init__(self, period_s: float = PERIOD_S, texts: int = TEXTS) -> None:
        self._period_s, self._texts = period_s, texts
        self._kinds: dict[Kind, _Seen] = {}
        self._since = 0.0

    def note(self, kind: Kind, text: str, now: float) -> bool:
        """Whether to show this line."""
        if not self._kinds:
            self._since = now
        if kind not in self._kinds and len(self._kinds) >= KINDS:
            kind = (kind[0], "", "")
        seen = self._kinds.setdefault(kind, _Seen())
        is_once = kind[2].startswith(ONCE)
        if text not in seen.texts and len(seen.texts) < (1 if is_once else self._texts):
            seen.texts.add(text)
            return True
        seen.more += 1
        seen.latest = text.partition(_TRACEBACK)[0] if is_once else text
        return False

    def due(self, now: float) -> float | None:
        """Seconds until ``summaries`` is due; None if there was no line."""
        return max(0.0, self._since + self._period_s - now) if self._kinds else None

    def summaries(self, now: float) -> list[tuple[Kind, str]]:
        """The summaries of the lines that were not shown, if they are due."""
        if self.due(now) != 0:
            return []
        counted = {kind: seen for kind, seen in self._kinds.items() if seen.more}
        found = [
            (kind, f"{seen.more:,} more in {now - self._since:.0f} s, the latest: {seen.latest}")
            for kind, seen in counted.items()
        ]
        self._kinds = {kind: _Seen(seen.texts) for kind, seen in counted.items()}
        self._since = now
        return found
