"""The lines of the log: which are printed, and their forms for people and machines."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stork_node.clock import utc_now
from stork_node.errors import ConfigError, Problem
from stork_node.logs import log_text
from stork_node.logs.log_writer import LogWriter, Render
from stork_node.process_state import singleton

LEVELS = ("debug", "info", "warn", "error", "critical")
_FORMATS = ("text", "json")
_OURS = ("stork_", "app.", "stdout", "stderr")
# Crossbar's lines, with the names of classes here that inherit from Crossbar's.
_CROSSBARS = "stork_crossbar.personality."


@dataclass(frozen=True)
class LogSettings:
    """The settings of the log: STORK_LOG is ``text`` or ``json``, STORK_LOG_LEVEL the lowest level."""

    format: str = "text"
    level: str = "info"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "LogSettings":
        """
        Raises:
            ConfigError: a variable has another value.
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
        One line, with ``now`` in UTC, of ``log_text.MAX_LINE_BYTES`` at most and without its end. Text: time, level,
        process, message. JSON: an object of time, level, process, logger, message and fields.
        """
        text = log_text.one_line(message)
        if self.format == "text":
            return f"{now.astimezone():%Y-%m-%dT%H:%M:%S%z} {level:<5} {process:<7} {text}"
        at = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
        record = {"time": at, "level": level, "process": process, "logger": log_text.name(logger), "message": text}
        return json.dumps({**record, "fields": log_text.fields(fields)}, ensure_ascii=False)

    def renders(self, process: str) -> Render:
        """A function that makes such lines for a ``LogWriter``, with the current time and a line end."""

        def render(level: str, text: str, logger: str, fields: Mapping[str, Any]) -> str:
            return self.line(level, process, text, logger, fields, utc_now()) + "\n"

        return render


def level_of(number: int) -> str:
    """This project's name for a level of the standard library."""
    return LEVELS[min(max(number // 10 - 1, 0), len(LEVELS) - 1)]


def is_ours(namespace: str) -> bool:
    return namespace.startswith(_OURS) and not namespace.startswith(_CROSSBARS)


@dataclass
class NodeEnd:
    """Whether the node of this process ends because it was asked to."""

    has_begun: bool = False


class Printer:
    """
    Prints the log records of a process.

    ``is_ending`` is set if only this process is to end, and not the node (``NodeEnd``). ``last_words`` is the last
    record at ``critical``: the reason why a process has ended.
    """

    is_ending = False

    def __init__(self, settings: LogSettings, writer: LogWriter) -> None:
        self._settings, self._writer = settings, writer
        self.last_words = ""

    @property
    def has_room(self) -> bool:
        """Whether a line would be printed now. If not, ``count_left_out`` counts lines that are not even read."""
        return self._writer.has_room

    def count_left_out(self, lines: int) -> None:
        self._writer.count_left_out(lines)

    def emit(
        self,
        level: str,
        text: str,
        *,
        namespace: str | None = None,
        fields: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Print a worker's record. Records of ``personality.logs`` have ``fields``; others do not."""
        level, text, namespace = str(level), str(text), str(namespace or "")
        if level not in LEVELS:
            level = "error"
        if is_ours(namespace):
            if isinstance(fields, Mapping):
                if level == "critical":
                    self.last_words = log_text.one_line(text)
                self.line(level, text, namespace, fields)
        # Crossbar warns about the SIGTERM that it sends to its workers, and about its effects.
        elif level in (
            ("error", "critical")
            if singleton(NodeEnd).has_begun or self.is_ending
            else ("warn", "error", "critical", "info")
        ):
            if namespace.startswith("crossbar.router.auth"):
                text = text.partition(" (expected")[0]  # the rest is a signature
            self.line(level, text, namespace)

    def line(self, level: str, text: str, logger: str = "stork_node", fields: Mapping[str, Any] | None = None) -> None:
        if self._settings.shows(level):
            self._writer.write(level, text, logger, fields)
