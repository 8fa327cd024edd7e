"""
Log lines of a worker: they go to the controller, which prints them.

Crossbar runs at ``warn``, because at ``info`` it logs lines for each join. Lines of this code, of the application and
of its output pass at lower levels as well. All lines pass a ``LogWriter``, which bounds and counts them: a worker never
waits for its log, and no client can flood it.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import crossbar._logging
from autobahn.wamp.exception import ApplicationError, InvalidUriError, ProtocolError
from twisted.internet import reactor
from twisted.logger import ILogObserver, Logger, LogLevel, eventAsText, globalLogPublisher
from zope.interface import provider

from stork_crossbar.compat import Incompatible, require_signature
from stork_node.logs import log_text
from stork_node.logs.log_lines import LEVELS, LogSettings, is_ours, level_of
from stork_node.logs.log_stream import LogStream
from stork_node.logs.log_writer import LogWriter
from stork_node.logs.process_log import catch_strays, flush_log, writer_of
from stork_node.logs.repeats import subject_of
from stork_node.process_state import singleton
from stork_node.protocol import uris

# Keys that Twisted adds to the data of a line; "text" is the line itself, of another logging system.
_TWISTEDS = frozenset(
    {"time", "format", "message", "system", "isError", "failure", "why", "printed", "text", "sentence"}
)
# Loggers whose author decides how often a line comes: their lines are not collapsed.
_APPLICATIONS = ("app.", "stdout", "stderr")
# Loggers that warn, in a router process, about clients: nobody has to act on these warnings.
_CLIENTS = (
    "autobahn.",
    "crossbar.router.protocol",
    "crossbar.router.session",
    "stork_crossbar.personality.session",
    "twisted.protocols.tls",
    "twisted.web",
)
_CLIENTS_FAULT = (ProtocolError, InvalidUriError)
_LONGEST_FAULT = 300
# Functions in which autobahn reads a client's message.
_READING = (os.path.join("autobahn", "wamp", "message.py"), os.path.join("autobahn", "wamp", "serializer.py"))


def _record(level: str, text: str, namespace: str, fields: Mapping[str, Any]) -> str:
    """A record in the format of the controller (``stork_node.logs.worker_output``)."""
    record = {"level": level, "namespace": namespace, "text": text, "fields": fields}
    return json.dumps(record, ensure_ascii=False) + str(crossbar._logging.record_separator)


@dataclass
class Clients:
    """Whether this process has clients: whether it is a router's."""

    are_served: bool = False


class Observer:
    """Handles every event of Twisted's log in a worker process."""

    def __init__(self, writer: LogWriter, settings: LogSettings) -> None:
        self._writer, self._settings = writer, settings

    def __call__(self, event: dict[str, Any]) -> None:
        namespace, level = str(event.get("log_namespace") or ""), event["log_level"].name
        if level not in LEVELS:
            return
        if is_ours(namespace):
            if self._settings.shows(level):
                self._write_ours(level, namespace, event)
        elif LEVELS.index(level) >= LEVELS.index("warn"):
            self._write_theirs(level, namespace, event)

    def _write_ours(self, level: str, namespace: str, event: dict[str, Any]) -> None:
        is_counted = level != "debug" and not namespace.startswith(_APPLICATIONS)
        about = str(event.get("_about") or event.get("log_format") or "failure") if is_counted else ""
        self._writer.write(level, _text(event), log_text.name(namespace), _fields(event), about)

    def _write_theirs(self, level: str, namespace: str, event: dict[str, Any]) -> None:
        fault = _clients_fault(event)
        if _is_answer(event):
            return  # the guard has logged the reason
        if fault:
            self._writer.write("info", f"a message of a client is malformed: {fault}", __name__, {}, "malformed")
        elif singleton(Clients).are_served and namespace.startswith(_CLIENTS) and _is_expected(event):
            self._writer.write("info", f"of a client: {_text(event)}", __name__, {}, "of a client")
        else:
            # Critical lines must wake an operator. Crossbar and autobahn use the level for less.
            shown = "error" if level == "critical" else level
            self._writer.write(shown, _text(event), namespace, {}, "theirs")


def _text(event: dict[str, Any]) -> str:
    return str(eventAsText(event, includeTimestamp=False, includeSystem=False))


def _clients_fault(event: dict[str, Any]) -> str:
    """The fault of a client, if this event is about one: autobahn logs it with a traceback of its own code."""
    failure = event.get("log_failure")
    error = failure.value if failure is not None else sys.exception()
    if error is None or not (isinstance(error, _CLIENTS_FAULT) or _was_reading(error)):
        return ""
    return log_text.one_line(str(error) or type(error).__name__, _LONGEST_FAULT)


def _is_answer(event: dict[str, Any]) -> bool:
    """Whether this failure is only an answer of the guard: Crossbar logs it with a traceback."""
    failure = event.get("log_failure")
    answers = {uri for uri, _ in uris.REFUSALS.values()}
    return failure is not None and isinstance(failure.value, ApplicationError) and failure.value.error in answers


def _is_expected(event: dict[str, Any]) -> bool:
    """Whether this is a warning of autobahn about an expected exception."""
    if event.get("log_failure") is not None or event.get("log_format") == "{tb}":
        return False
    return event["log_level"] is LogLevel.warn or sys.exception() is None


def _was_reading(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(_READING) and trace.tb_frame.f_code.co_name != "serialize":
            return True
        trace = trace.tb_next
    return False


def _fields(event: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in event.items() if not key.startswith(("log_", "_")) and key not in _TWISTEDS}
    return log_text.fields(own)


_is_replaced = False


def replace_crossbars_observer() -> None:
    """Have Crossbar's worker make ours where it makes its own, which waits for the controller and has no bounds."""
    global _is_replaced
    try:
        require_signature(crossbar._logging.make_JSON_observer, "outFile")
    except Incompatible:
        return  # ours comes beside it, and the controller bounds what it reads
    crossbar._logging.make_JSON_observer = lambda _: _make_observer()
    _is_replaced = True


def _make_observer() -> Any:
    return provider(ILogObserver)(Observer(writer_of("worker", _record), LogSettings.read(os.environ)))


def begin_log(serves_clients: bool) -> None:
    """Take over what this process logs, in every way that it can; once the reactor and Twisted's log are there."""
    singleton(Clients).are_served = serves_clients
    if not _is_replaced:
        globalLogPublisher.addObserver(_make_observer())
    for name, level in (("stdout", LogLevel.info), ("stderr", LogLevel.error)):
        setattr(sys, name, _printed(name, level))
    take_over_logging()
    catch_strays()
    reactor.addSystemEventTrigger("after", "shutdown", flush_log)


def _printed(name: str, level: LogLevel) -> Any:
    log = Logger(namespace=name)
    return LogStream(lambda line: log.emit(level, "{text}", text=line))


class _ToTwisted(logging.Handler):
    """The standard library's log records, as the application and libraries write them, into Twisted's log."""

    def emit(self, record: logging.LogRecord) -> None:
        # A logger that the application has set to DEBUG is one that it wants to see.
        level = "info" if record.levelno < logging.WARNING else level_of(record.levelno)
        try:
            text = self.format(record)
        except Exception as error:  # the standard library would print a traceback of many lines
            text = f"{record.msg!r} cannot be formatted: {error}"
        name = record.name if record.name.startswith("stork_") else f"app.{record.name}"
        Logger(namespace=name).emit(LogLevel.lookupByName(level), "{text}", text=text, _about=subject_of(record))


def take_over_logging(level: int = logging.INFO) -> None:
    """Send what a worker's application logs with ``logging`` to the node's log."""
    logging.basicConfig(level=level, handlers=[_ToTwisted()], format="%(message)s", force=True)
