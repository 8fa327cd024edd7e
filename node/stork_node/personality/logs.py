"""
Log lines: from a worker to the controller, and from the controller to people.

Crossbar runs at ``warn``: at ``info`` it has lines for each join. Lines of ours, of the application and of what it
prints get an observer of their own, which passes lower levels as well, and the data of each line apart from its text.
"""

import json
import logging
from typing import Any, TextIO

from crossbar._logging import record_separator
from twisted.logger import ILogObserver, Logger, LogLevel, eventAsText
from zope.interface import provider

from stork_node.log_lines import LEVELS, LogSettings, is_ours, level_of

# What Twisted adds to the data of a line; "text" is the line itself, of another logging system.
_TWISTEDS = frozenset(
    {"time", "format", "message", "system", "isError", "failure", "why", "printed", "text", "sentence"}
)


def observer_of_ours(out: TextIO, settings: LogSettings) -> Any:
    """
    An observer that writes what is ours as Crossbar's own writes the rest: one JSON record a line of log.

    The controller reads these records from the worker's standard error.
    """

    @provider(ILogObserver)
    def observe(event: dict[str, Any]) -> None:
        namespace, level = str(event.get("log_namespace", "")), event["log_level"].name
        if is_ours(namespace) and level in LEVELS and settings.shows(level):
            text = eventAsText(event, includeTimestamp=False, includeSystem=False)
            record = {"level": level, "namespace": namespace, "text": text, "fields": _fields(event)}
            print(json.dumps(record, default=str), end=record_separator, file=out, flush=True)

    return observe


def _fields(event: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in event.items() if not key.startswith(("log_", "_")) and key not in _TWISTEDS}
    return {key: value if isinstance(value, int | float | bool | None) else str(value) for key, value in own.items()}


class _ToTwisted(logging.Handler):
    """The standard library's log records, as the application and libraries write them, into Twisted's log."""

    def emit(self, record: logging.LogRecord) -> None:
        # A logger that the application has set to DEBUG is one that it wants to see.
        level = "info" if record.levelno < logging.WARNING else level_of(record.levelno)
        text = self.format(record)
        Logger(namespace=f"app.{record.name}").emit(LogLevel.lookupByName(level), "{text}", text=text)


def take_over_logging(level: int = logging.INFO) -> None:
    """Send what a worker's application logs with ``logging`` to the node's log."""
    logging.basicConfig(level=level, handlers=[_ToTwisted()], format="%(message)s", force=True)
