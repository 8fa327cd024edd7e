"""Reads a worker's output from a file descriptor: records of its log, and other text between them."""

import json
import re
from collections.abc import Iterator
from typing import Any

# The format of Crossbar's workers (crossbar._logging): a line that announces records, then each record and its end.
_ANNOUNCEMENT = "CROSSBAR_RICH_LOGGING_ENABLE=True"
_RECORD_BEGIN, _RECORD_END = b'{"level": ', b"\x1e"
# A record is JSON on one line.
_ENDS = re.compile(rb"([\n\x1e])")
_LONGEST = 16_384
_TRIED = 10


class OutputReader:
    """
    Separates records from other lines: a print in C, a program of the application, the last words of a crash.

    Other lines may have any bytes, and may stand before a record on its line: no record is lost. Of text without an
    end, the beginning and the end are kept.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._left_out = 0

    def feed(self, data: bytes) -> Iterator[dict[str, Any] | str]:
        """The records (with ``level`` and ``text`` at least) and lines that are complete with these bytes."""
        *parts, rest = _ENDS.split(data)
        for text, end in zip(parts[::2], parts[1::2], strict=True):
            whole = self._take(text)
            yield from _records(whole) if end == _RECORD_END else _lines(whole)
        self._keep(rest)

    def skip(self, data: bytes) -> int:
        """Drop bytes, and only count their line ends."""
        at = max(data.rfind(b"\n"), data.rfind(_RECORD_END)) + 1
        if at:
            self._rest.clear()
            self._left_out = 0
        self._keep(data[at:])
        return data.count(b"\n") + data.count(_RECORD_END)

    def end(self) -> Iterator[str]:
        """The rest, after the process has ended."""
        return _lines(self._take(b""))

    def _keep(self, data: bytes) -> None:
        self._rest += data
        too_long = len(self._rest) - 2 * _LONGEST
        if too_long > 0:
            del self._rest[_LONGEST : _LONGEST + too_long]
            self._left_out += too_long

    def _take(self, data: bytes) -> bytes:
        self._keep(data)
        whole, left_out = bytes(self._rest), self._left_out
        self._rest.clear()
        self._left_out = 0
        if not left_out:
            return whole
        return whole[:_LONGEST] + f" … {left_out:,} bytes … ".encode() + whole[_LONGEST:]


def _lines(text: bytes) -> Iterator[str]:
    line = text.decode(errors="replace").rstrip()
    if line and line != _ANNOUNCEMENT:
        yield line


def _records(text: bytes) -> Iterator[dict[str, Any] | str]:
    for start in _beginnings(text):
        try:
            record = json.loads(text[start:])
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and {"level", "text"} <= record.keys():
            yield from _lines(text[:start])
            yield record
            return
    yield from _lines(text)


def _beginnings(text: bytes) -> Iterator[int]:
    """Possible beginnings of a record, the last one first: the record ends with the text."""
    start = len(text)
    for _ in range(_TRIED):
        start = text.rfind(_RECORD_BEGIN, 0, start)
        if start < 0:
            return
        yield start
