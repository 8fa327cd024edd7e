"""One log line a minute for each limit that is reached, however often."""

from stork_node.logs.repeats import Repeats

PERIOD_S = 60.0


class LimitLog:
    """Time is passed in, in seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._repeats: dict[str, Repeats] = {}

    def note(self, limit: str, text: str, now: float) -> bool:
        """``limit`` was reached. Returns whether to show ``text``; otherwise it is counted for the next summary."""
        repeats = self._repeats.setdefault(limit, Repeats(PERIOD_S, texts=1))
        return repeats.note(("warn", "", limit), text, now)

    def due(self, now: float) -> float | None:
        """Seconds until ``summaries`` is due; None if there is nothing to sum up."""
        waiting = [due for repeats in self._repeats.values() if (due := repeats.due(now)) is not None]
        return min(waiting, default=None)

    def summaries(self, now: float) -> list[tuple[str, str]]:
        """The limits with their summaries, as far as they are due."""
        return [(limit, text) for limit, repeats in self._repeats.items() for _, text in repeats.summaries(now)]
