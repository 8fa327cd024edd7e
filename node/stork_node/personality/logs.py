"""
Log lines: from a worker to the controller, and from the controller to people.

Crossbar runs at ``warn``: at ``info`` it has lines for each join. Lines of ours, of the application and of what it
prints pass at ``info`` as well, so that workers get an observer of their own for them.
"""

import json
import logging
import sys
from datetime import datetime
from typing import Any, TextIO

from crossbar._logging import record_separator
from twisted.logger import ILogObserver, Logger, LogLevel, formatEvent
from zope.interface import provider

_OURS = ("stork_", "app.", "stdout", "stderr")
# Crossbar's lines, named for the classes here that inherit from its own.
_CROSSBARS = "stork_node.personality."
_BELOW_WARN = (LogLevel.info,)


def is_ours(namespace: str) -> bool:
    return namespace.startswith(_OURS) and not namespace.startswith(_CROSSBARS)


def observer_of_ours(out: TextIO) -> Any:
    """
    An observer that writes what is ours at ``info`` as Crossbar's own writes the rest: one JSON record a line of log.

    The controller reads these records from the worker's standard error.
    """

    @provider(ILogObserver)
    def observe(event: dict[str, Any]) -> None:
        namespace = str(event.get("log_namespace", ""))
        if event.get("log_level") in _BELOW_WARN and is_ours(namespace):
            record = {"level": "info", "namespace": namespace, "text": formatEvent(event)}
            print(json.dumps(record), end=record_separator, file=out, flush=True)

    return observe


class _ToTwisted(logging.Handler):
    """The standard library's log records, as the application and libraries write them, into Twisted's log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "info" if record.levelno < logging.WARNING else "warn" if record.levelno < logging.ERROR else "error"
        text = self.format(record)
        Logger(namespace=f"app.{record.name}").emit(LogLevel.lookupByName(level), "{text}", text=text)


def take_over_logging(level: int = logging.INFO) -> None:
    """Send what a worker's application logs with ``logging`` to the node's log."""
    logging.basicConfig(level=level, handlers=[_ToTwisted()], format="%(message)s", force=True)


class Printer:
    """
    Prints a worker's log records; stands where Crossbar's ``WorkerProcess`` has its logger.

    A line: time, level, process, text. Tracebacks follow on lines of their own. ``node_is_ending`` is set by the node.
    """

    node_is_ending = False

    def __init__(self, process: str, out: TextIO | None = None) -> None:
        self._process = process
        self._out = out

    def emit(self, level: str, text: str, *, cb_namespace: str | None = None, **_: Any) -> None:
        # Crossbar escapes braces, as its own logger formats the text once more.
        text = text.replace("{{", "{").replace("}}", "}")
        # Crossbar warns of the very SIGTERM that it sends to its workers, and of what follows from it.
        crossbars = ("error", "critical") if Printer.node_is_ending else ("warn", "error", "critical")
        if level in crossbars or is_ours(cb_namespace or ""):
            self.line(level, text)

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
