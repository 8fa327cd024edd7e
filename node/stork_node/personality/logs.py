"""
Log lines: from a worker to the controller, and from the controller to people.

Crossbar runs at ``warn``: at ``info`` it has lines for each join. Lines of ours, of the application and of what it
prints pass at ``info`` as well, so that workers get an observer of their own for them.
"""

import json
import logging
from typing import Any, TextIO

from crossbar._logging import record_separator
from twisted.logger import ILogObserver, Logger, LogLevel, formatEvent
from zope.interface import provider

from stork_node.log_lines import is_ours

_BELOW_WARN = (LogLevel.info,)


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
