"""Writes a process's log without ever waiting for its reader."""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from stork_node.logs.log_text import one_line
from stork_node.logs.repeats import Repeats

Render = Callable[[str, str, str, Mapping[str, Any]], str]
"""Makes a line, with its end, from level, text, logger and fields."""

WAITING_LINES = 1_000
LINES_PER_S = 200.0
BURST_LINES = 2_000
_FLUSH_S = 1.0
_RETRY_S = 1.0
_NOTICE_S = 1.0
_LOGGER = "stork_node.logs.log_writer"


class Allowance:
    """A bucket of ``burst`` lines, to which ``per_s`` lines are added each second."""

    def __init__(self, burst: float = BURST_LINES, per_s: float = LINES_PER_S) -> None:
        self.per_s = per_s
        self._left = self._burst = burst
        self._at: float | None = None

    def has(self, now: float) -> bool:
        """Whether a line may pass now."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self.per_s)
        self._at = now
        return self._left >= 1

    def take(self, now: float) -> bool:
        """Let a line pass, if it may."""
        if not self.has(now):
            return False
        self._left -= 1
        return True


class LogWriter:
    """
    Takes lines at once, and writes them to a file descriptor on a thread of its own.

    Lines are dropped and counted if too many wait because of a slow reader, or if they come too fast. Repeated lines of
    one kind are counted, too (``Repeats``). After a lost reader or a full disk, writing is tried again each second. A
    forked child gets a thread of its own.
    """

    def __init__(
        self,
        descriptor: int,
        render: Render,
        allowance: Allowance | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._descriptor, self._render, self._clock = descriptor, render, clock
        self._allowance = allowance or Allowance()
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._changed = threading.Condition()  # re-entrant, because signal handlers log as well
        self._lines: deque[str] = deque()
        self._is_writing = self._is_broken = False
        self._unread = self._too_many = 0
        self._next_notice = 0.0
        self._repeats = Repeats()
        self._thread: threading.Thread | None = None

    def write(
        self, level: str, text: str, logger: str, fields: Mapping[str, Any] | None = None, about: str = ""
    ) -> None:
        """
        Take one record. Never blocks; from any thread.

        Args:
            about: the kind of the line, see ``repeats.Kind``; empty: always show it.
        """
        line_text = one_line(text)
        with self._changed:
            now = self._clock()
            if about and not self._repeats.note((level, logger, about), line_text, now):
                self._wake()
            elif not self._allowance.take(now):
                self.count_left_out(1)
            else:
                self.write_text(self._render(level, line_text, logger, fields or {}))

    def write_text(self, text: str) -> None:
        """Take text that is rendered already: messages of this program itself."""
        with self._changed:
            if len(self._lines) < WAITING_LINES:
                self._lines.append(text)
            else:
                self._unread += 1
            self._wake()

    def count_left_out(self, lines: int) -> None:
        """Count lines that came too fast."""
        with self._changed:
            self._too_many += lines
            self._wake()

    @property
    def has_room(self) -> bool:
        """Whether a line may pass now."""
        with self._changed:
            return self._allowance.has(self._clock())

    def flush(self, within_s: float = _FLUSH_S) -> None:
        """
        Wait until all lines are written, for at most ``within_s``; for a process that ends. Does not wait for a lost
        reader.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_broken or not (self._lines or self._is_writing), within_s)

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stork-log", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            line = self._next()
            written = self._put(line)
            with self._changed:
                self._is_writing, self._is_broken = False, not written
                if not written:
                    self._lines.appendleft(line)
                self._changed.notify_all()
            if not written:
                time.sleep(_RETRY_S)

    def _next(self) -> str:
        with self._changed:
            self._tell()
            while not self._lines:
                self._changed.wait(self._pause_s())
                self._tell()
            self._is_writing = True
            return self._lines.popleft()

    def _pause_s(self) -> float | None:
        now = self._clock()
        due = [self._repeats.due(now), self._next_notice - now if self._unread or self._too_many else None]
        return min((max(each, 0.0) for each in due if each is not None), default=None)

    def _tell(self) -> None:
        """Write how many lines were left out: at most once a second, and if there is room."""
        now = self._clock()
        for (level, logger, _), text in self._repeats.summaries(now):
            self._say(level, text, logger)
        if now < self._next_notice or len(self._lines) > WAITING_LINES // 2:
            return
        if self._unread:
            self._say("warn", f"{_lines(self._unread)} dropped, since nobody read the log", _LOGGER)
        if self._too_many:
            per_s = f"{self._allowance.per_s:g} a second"
            self._say("warn", f"{_lines(self._too_many)} left out: more than {per_s}", _LOGGER)
        if self._unread or self._too_many:
            self._unread = self._too_many = 0
            self._next_notice = now + _NOTICE_S

    def _say(self, level: str, text: str, logger: str) -> None:
        self._lines.append(self._render(level, one_line(text), logger, {}))

    def _put(self, line: str) -> bool:
        data = line.encode(errors="replace")
        try:
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:  # the parent process has made the descriptor non-blocking
                    select.select([], [self._descriptor], [])
        except (OSError, ValueError):
            return False
        return True


def _lines(number: int) -> str:
    return "1 line was" if number == 1 else f"{number:,} lines were"
