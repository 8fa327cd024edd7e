"""The lines of the log: whose they are, which are left out, and how they look to people and to machines."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from stork_node.clock import utc_now
from stork_node.errors import ConfigError, Problem

LEVELS = ("debug", "info", "warn", "error", "critical")
_FORMATS = ("text", "json")
_OURS = ("stork_", "app.", "stdout", "stderr")
# Crossbar's lines, named for the classes here that inherit from its own.
_CROSSBARS = "stork_node.personality."
_LONGEST_TEXT = 4_000
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class LogSettings:
    """How every process of this deployment logs: STORK_LOG is ``text`` or ``json``, STORK_LOG_LEVEL the least level."""

    format: str = "text"
    level: str = "info"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "LogSettings":
        """
        Raises:
            ConfigError: a variable that has another value.
        """
        chosen = environ.get("STORK_LOG") or cls.format, environ.get("STORK_LOG_LEVEL") or cls.level
        problems = [
            Problem(name, f"{value!r} is none of {', '.join(known)}")
            for name, value, known in zip(("STORK_LOG", "STORK_LOG_LEVEL"), chosen, (_FORMATS, LEVELS), strict=True)
            if value not in known
        ]
        if problems:
            raise ConfigError(problems)
        return cls(*chosen)

    def shows(self, level: str) -> bool:
        return LEVELS.index(level) >= LEVELS.index(self.level)

    def line(
        self, level: str, process: str, message: str, logger: str, fields: Mapping[str, Any], now: datetime
    ) -> str:
        """
        One line, with ``now`` in UTC. Text: time, level, process, message; a traceback follows on lines of its own.
        JSON: an object of time, level, process, logger, message and fields.
        """
        if self.format == "text":
            return f"{now.astimezone():%Y-%m-%dT%H:%M:%S%z} {level:<5} {process:<7} {message.rstrip()}"
        at = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
        record = {"time": at, "level": level, "process": process, "logger": logger, "message": message.rstrip()}
        return json.dumps({**record, "fields": dict(fields)}, ensure_ascii=False, default=str)


class Formatter(logging.Formatter):
    """The same lines for a process that logs by the standard library."""

    def __init__(self, process: str, settings: LogSettings) -> None:
        super().__init__()
        self._process, self._settings = process, settings

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        now = datetime.fromtimestamp(record.created, UTC)
        return self._settings.line(level_of(record.levelno), self._process, message, record.name, {}, now)


def level_of(number: int) -> str:
    """Our name for a level of the standard library's."""
    return LEVELS[min(max(number // 10 - 1, 0), len(LEVELS) - 1)]


def log_to_stderr(process: str, settings: LogSettings) -> None:
    """Let the standard library's logging write such lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter(process, settings))
    logging.basicConfig(level=10 * (1 + LEVELS.index(settings.level)), handlers=[handler], force=True)


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
    Prints a process's log records.

    ``node_is_ending`` is set by the node, ``is_ending`` where only this process is to end. ``last_words`` is the last
    record at ``critical``: why a process has ended.
    """

    node_is_ending = is_ending = False

    def __init__(
        self,
        process: str,
        settings: LogSettings,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process, self._settings, self._out, self._clock = process, settings, out, clock
        self._throttle = Throttle()
        self.last_words = ""

    def emit(
        self,
        level: str,
        text: str,
        *,
        namespace: str | None = None,
        fields: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """A record of a worker's; those of ours (``personality.logs``) have ``fields``, and come without as well."""
        namespace = namespace or ""
        if is_ours(namespace):
            if fields is not None:
                if level == "critical":
                    self.last_words = text
                self.line(level, text, namespace, fields)
        # Crossbar warns of the very SIGTERM that it sends to its workers, and of what follows from it.
        elif level in (
            ("error", "critical") if Printer.node_is_ending or self.is_ending else ("warn", "error", "critical")
        ):
            # Crossbar escapes braces, as its own logger formats the text once more, and has colours in it.
            self._crossbars(level, _COLOUR.sub("", text).replace("{{", "{").replace("}}", "}"), namespace)

    def _crossbars(self, level: str, text: str, namespace: str) -> None:
        if namespace.startswith("crossbar.router.auth"):
            text = text.partition(" (expected")[0]  # what follows is a signature
        admitted, left_out = self._throttle.admit(f"{level} {namespace}", self._clock())
        if left_out:
            self.line(level, f"({left_out} more of {namespace} were left out)", namespace)
        if admitted:
            cut = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} … ({len(text)} characters)"
            self.line(level, cut, namespace)

    def line(self, level: str, text: str, logger: str = "stork_node", fields: Mapping[str, Any] | None = None) -> None:
        if self._settings.shows(level):
            line = self._settings.line(level, self._process, text, logger, fields or {}, utc_now())
            print(line, file=self._out or sys.stderr, flush=True)
