"""The log of a process without a running reactor: all of its lines go through one ``LogWriter``."""

import logging
import sys
import threading
from types import TracebackType

from stork_node.logs.log_lines import LEVELS, LogSettings, level_of
from stork_node.logs.log_stream import LogStream
from stork_node.logs.log_writer import Allowance, LogWriter, Render
from stork_node.logs.repeats import subject_of
from stork_node.process_state import singleton

COUNTED = {"is_counted": True}
"""``extra`` of a record whose author counts repetitions already."""

_STDERR = 2


class _Writers(dict[str, LogWriter]):
    """The writers by process name."""


def writer_of(process: str, render: Render, allowance: Allowance | None = None) -> LogWriter:
    """
    The writer of the lines of ``process`` to standard error. It is made once, and ``flush_log`` waits for it.

    Each process has its own queue, so a process with many lines takes no place from the others.
    """
    writers = singleton(_Writers)
    if process not in writers:
        writers[process] = LogWriter(_STDERR, render, allowance)
    return writers[process]


def take_over_stderr(process: str, settings: LogSettings) -> LogWriter:
    """Turn text on standard error into lines of this process's log, which never waits."""
    writer = writer_of(process, settings.renders(process))

    def printed(line: str) -> None:
        if settings.shows("error"):
            writer.write("error", line, "stderr")

    for name in ("stderr", "__stderr__"):
        setattr(sys, name, LogStream(printed))
    return writer


def flush_log() -> None:
    """Give the last lines a moment to be read; to be called before the process ends."""
    for writer in list(singleton(_Writers).values()):
        writer.flush()


class _ToWriter(logging.Handler):
    """Records of the standard library's logging; their formats are their kinds."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:
            text = f"{record.msg!r} cannot be formatted: {error}"
        is_counted = record.levelno <= logging.DEBUG or hasattr(record, "is_counted")
        about = "" if is_counted else subject_of(record)
        self._writer.write(level_of(record.levelno), text, record.name, None, about)


def log_to_stderr(process: str, settings: LogSettings, at_least: str = "debug") -> None:
    """Write the records of the standard library's logging as such lines, from the level ``at_least`` on."""
    handler = _ToWriter(take_over_stderr(process, settings))
    level = 10 * (1 + max(LEVELS.index(settings.level), LEVELS.index(at_least)))
    logging.basicConfig(level=level, handlers=[handler], format="%(message)s", force=True)
    catch_strays()


def catch_strays() -> None:
    """Log Python's own multi-line messages as one line: ends of threads, warnings, and so on."""
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
