"""The lines that people read: whose they are, which are left out, and how they look."""

import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TextIO

_OURS = ("stork_", "app.", "stdout", "stderr")
# Crossbar's lines, named for the classes here that inherit from its own.
_CROSSBARS = "stork_node.personality."
_LONGEST_TEXT = 4_000


def is_ours(namespace: str) -> bool:
    return namespace.startswith(_OURS) and not namespace.startswith(_CROSSBARS)


class Throttle:
    """
    At most ``burst`` lines of one kind in ``period_s``; the first of the next period says how many were left out.

    What clients do wrong, Crossbar and autobahn log with a traceback each time: nobody may fill the log with that.
    """

    def __init__(self, burst: int = 5, period_s: float = 10.0) -> None:
        self._burst, self._period_s = burst, period_s
        self._kinds: dict[str, tuple[float, int]] = {}

    def admit(self, kind: str, now: float) -> tuple[bool, int]:
        """Whether a line of this kind may be printed at ``now`` (s), and how many were left out before it."""
        since, seen = self._kinds.get(kind, (now, 0))
        left_out = 0
        if now - since >= self._period_s:
            left_out = max(0, seen - self._burst)
            since, seen = now, 0
        self._kinds[kind] = since, seen + 1
        return seen < self._burst, left_out


class Printer:
    """
    Prints a worker's log records; stands where Crossbar's ``WorkerProcess`` has its logger.

    A line: time, level, process, text. Tracebacks follow on lines of their own. ``node_is_ending`` is set by the node.
    """

    node_is_ending = False

    def __init__(self, process: str, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._process, self._out, self._clock = process, out, clock
        self._throttle = Throttle()
        self.last_words = ""

    def emit(self, level: str, text: str, *, cb_namespace: str | None = None, **_: Any) -> None:
        # Crossbar escapes braces, as its own logger formats the text once more.
        text = text.replace("{{", "{").replace("}}", "}")
        if level == "critical":
            self.last_words = text
        if is_ours(cb_namespace or ""):
            self.line(level, text)
        # Crossbar warns of the very SIGTERM that it sends to its workers, and of what follows from it.
        elif level in (("error", "critical") if Printer.node_is_ending else ("warn", "error", "critical")):
            self._crossbars(level, text, cb_namespace or "")

    def _crossbars(self, level: str, text: str, namespace: str) -> None:
        if namespace.startswith("crossbar.router.auth"):
            text = text.partition(" (expected")[0]  # what follows is a signature
        admitted, left_out = self._throttle.admit(f"{level} {namespace}", self._clock())
        if left_out:
            self.line(level, f"({left_out} more of {namespace} were left out)")
        if admitted:
            self.line(
                level, text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} … ({len(text)} characters)"
            )

    def line(self, level: str, text: str) -> None:
        now = datetime.now().astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")
        print(f"{now} {level:<5} {self._process:<7} {text.rstrip()}", file=self._out or sys.stderr, flush=True)

    def info(self, text: str, *, cb_namespace: str | None = None, **_: Any) -> None:
        """What a worker wrote to its file descriptors itself: the application's prints, a crash in C."""
        self.line("info", text)

    def warn(self, text: str, **facts: Any) -> None:
        self.line("warn", text.format(**facts) if facts else text)

    def debug(self, *_: Any, **__: Any) -> None:
        pass
