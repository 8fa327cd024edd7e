"""What a worker process writes to a file descriptor: records of its log, and between them whatever else is there."""

import json
import re
from collections.abc import Iterator
from typing import Any

# As Crossbar's workers write (crossbar._logging): a line that announces records, then each record and its end.
_ANNOUNCEMENT = "CROSSBAR_RICH_LOGGING_ENABLE=True"
_RECORD_BEGIN, _RECORD_END = b'{"', b"\x1e"
# A record is JSON in one line.
_ENDS = re.compile(rb"([\n\x1e])")


class OutputReader:
    """
    Tells records from lines that are none: a print in C, a program that the application runs, the words of a crash.

    Those may be any bytes, and may stand before a record in its line: no record is lost by them.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any] | str]:
        """What is whole with these bytes: records, with ``level`` and ``text`` at least, and lines."""
        *parts, self._rest = _ENDS.split(self._rest + data)
        for text, end in zip(parts[::2], parts[1::2], strict=True):
            yield from _records(text) if end == _RECORD_END else _lines(text)

    def end(self) -> Iterator[str]:
        """What is left when the process has ended."""
        rest, self._rest = self._rest, b""
        return _lines(rest)


def _lines(text: bytes) -> Iterator[str]:
    line = text.decode(errors="replace").rstrip()
    if line and line != _ANNOUNCEMENT:
        yield line


def _records(text: bytes) -> Iterator[dict[str, Any] | str]:
    start = text.find(_RECORD_BEGIN)
    while start >= 0:
        try:
            record = json.loads(text[start:])
        except ValueError:
            start = text.find(_RECORD_BEGIN, start + 1)
            continue
        if isinstance(record, dict) and {"level", "text"} <= record.keys():
            yield from _lines(text[:start])
            yield record
            return
        break
    yield from _lines(text)
