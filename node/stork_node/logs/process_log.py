"""The log of a process that has no reactor, or none yet: every line of it goes through one ``LogWriter``."""

import logging
import sys
import threading
from types import TracebackType

from stork_node.logs.log_lines import LEVELS, LogSettings, level_of
from stork_node.logs.log_stream import LogStream
from stork_node.logs.log_writer import Allowance, LogWriter, Render
from stork_node.process_state import the

COUNTED = {"is_counted": True}
"""``extra`` of a record whose writer has counted others like it already."""

_STDERR = 2


class _Writers(dict[str, LogWriter]):
    """By the name of their process."""


def writer_of(process: str, render: Render, allowance: Allowance | None = None) -> LogWriter:
    """
    What writes the lines of ``process`` to standard error; made once, and waited for by ``flush_log``.

    Those of each process have a queue of their own: one that says much takes nobody else's place.
    """
    writers = the(_Writers)
    if process not in writers:
        writers[process] = LogWriter(_STDERR, render, allowance)
    return writers[process]


def take_over_stderr(process: str, settings: LogSettings) -> LogWriter:
    """Have what is printed to standard error be lines of this process's log, which wait for nobody."""
    writer = writer_of(process, settings.renders(process))

    def printed(line: str) -> None:
        if settings.shows("error"):
            writer.write("error", line, "stderr")

    for name in ("stderr", "__stderr__"):
        setattr(sys, name, LogStream(printed))
    return writer


def flush_log() -> None:
    """Give what is written a moment to be read; before the process ends."""
    for writer in list(the(_Writers).values()):
        writer.flush()


class _ToWriter(logging.Handler):
    """The records of the standard library's logging, counted by their formats."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:
            text = f"{record.msg!r} cannot be formatted: {error}"
        is_counted = record.levelno <= logging.DEBUG or hasattr(record, "is_counted")
        about = "" if is_counted else str(record.msg)
        self._writer.write(level_of(record.levelno), text, record.name, None, about)


def log_to_stderr(process: str, settings: LogSettings, at_least: str = "debug") -> None:
    """Let the standard library's logging write such lines, from the level ``at_least`` on."""
    handler = _ToWriter(take_over_stderr(process, settings))
    level = 10 * (1 + max(LEVELS.index(settings.level), LEVELS.index(at_least)))
    logging.basicConfig(level=level, handlers=[handler], format="%(message)s", force=True)
    catch_strays()


def catch_strays() -> None:
    """Have what Python itself would print as several lines logged as one: ends of threads, warnings, and the like."""
    log = logging.getLogger("stork_node.strays")

    def thread_ended(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            error = args.exc_value or args.exc_type()
            log.error("the thread %s failed", args.thread.name if args.thread else "?", exc_info=error)

    def ignored(args: "sys.UnraisableHookArgs") -> None:
        log.error("%s", args.err_msg or f"ignored in {args.object!r}", exc_info=args.exc_value)

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("the process failed", exc_info=(kind, error, trace))

    threading.excepthook, sys.unraisablehook = thread_ended, ignored
    sys.excepthook = ended
    logging.captureWarnings(True)
