"""A program's output as lines of its log: a text stream in place of standard output or standard error."""

import io
import threading
from collections.abc import Callable

_LONGEST_LINE = 16_384


class LogStream(io.TextIOBase):
    """
    Passes each whole line to ``line``. Of a line without an end, only the beginning is kept.

    Args:
        line: takes a line without its end; never blocks.
    """

    encoding, errors = "utf-8", "backslashreplace"

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line, self._lock = line, threading.RLock()
        self._pieces: list[str] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        *whole, rest = text.split("\n")
        with self._lock:
            for each in whole:
                self._keep(each)
                self._end()
            self._keep(rest)
        return len(text)

    def _keep(self, text: str) -> None:
        room = _LONGEST_LINE - sum(map(len, self._pieces))
        self._length += len(text)
        if room > 0 and text:
            self._pieces = ["".join([*self._pieces, text[:room]])]

    def _end(self) -> None:
        said, left_out = "".join(self._pieces), self._length - sum(map(len, self._pieces))
        self._pieces, self._length = [], 0
        if said.strip():
            self._line(f"{said} … and {left_out:,} characters" if left_out else said)
