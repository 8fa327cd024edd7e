"""
``state.json`` in the folder of a log: nodes and commands as of one number. Retention deletes entries, and not this.

The file is written when a log is opened for the first time, when it is closed, and now and then. What was appended
after the number of the file is read from the log again. A log without the file is of a release that had no such state.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from stork_node.errors import InvalidFrame
from stork_node.nodes.log_state import LogState, apply_frames
from stork_node.protocol.bus import StateFrame, decode_frame
from stork_node.protocol.commands.entries import StateEntry
from stork_node.protocol.positions import Position
from stork_node.push_log.errors import BeyondLog
from stork_node.push_log.files import replace_file
from stork_node.push_log.segment_files.reading import Page

log = logging.getLogger("stork_node.push_log")

SAVE_S = 10.0
"""Time between two writes while the state changes."""
_MOST_BEHIND = 100_000
_PAGE_BYTES = 1 << 20
_PUSH = b"stork 1 push "


class Readable(Protocol):
    """What is needed of a log to read its state."""

    @property
    def tail(self) -> Position: ...

    @property
    def floor(self) -> int: ...

    def read(self, after: int, max_bytes: int) -> Page: ...


class StateFile:
    """The state of one log, and the file that keeps it. Times are seconds of a clock that never goes back."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.json"
        self._is_dirty = False
        self._saved = 0
        self._next = 0.0
        self._writing: threading.Thread | None = None
        self._failure: OSError | None = None

    def load(self, held: Readable) -> LogState:
        """The state at the tail of a log that was just opened."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            self._is_dirty = True
            return LogState(held.tail)
        except OSError as error:
            log.warning("%s cannot be read, and is made anew: %s", self._path, error.strerror)
            content = b""
        state = LogState.decode(content)
        if state is None or state.position.epoch != held.tail.epoch or state.position.sequence > held.tail.sequence:
            state = LogState(Position(held.tail.epoch, held.floor), state.revoked if state else None)
        elif state.position.sequence < held.floor:
            state.position = Position(held.tail.epoch, held.floor)
        self._saved = state.position.sequence
        _read_on(state, held)
        return state

    def note_change(self) -> None:
        """The state has changed."""
        self._is_dirty = True

    def is_due(self, tail: Position, now: float) -> bool:
        """Whether it is time to write the file, or to say that it could not be written."""
        if self._writing and self._writing.is_alive():
            return False
        is_changed = self._is_dirty or tail.sequence - self._saved > _MOST_BEHIND
        return now >= self._next and (is_changed or self._failure is not None)

    def save(self, state: LogState, tail: Position, now: float) -> None:
        """
        Write the file.

        Raises:
            OSError: it cannot be written.
        """
        with suppress(OSError):
            self._end_writing()
        self.save_behind(state, tail, now)
        self._end_writing()

    def save_behind(self, state: LogState, tail: Position, now: float) -> None:
        """
        Begin to write the file in a thread: a slow disk must not keep pushes waiting.

        Raises:
            OSError: it could not be written the last time.
        """
        self._next = now + SAVE_S
        self._end_writing()
        state.position = tail
        began = time.monotonic()
        content = state.encode()
        # A large table of users takes a while: it may have a fiftieth of the time.
        self._next = now + max(SAVE_S, 50 * (time.monotonic() - began))
        self._writing = threading.Thread(target=self._write, args=(content,), name="stork-state", daemon=True)
        self._is_dirty, self._saved = False, tail.sequence
        self._writing.start()

    def _write(self, content: bytes) -> None:
        try:
            replace_file(self._path, content)
        except OSError as failure:
            self._failure = failure

    def _end_writing(self) -> None:
        """Wait for the thread, and take what came of it."""
        writing, self._writing = self._writing, None
        if writing:
            writing.join()
        failure, self._failure = self._failure, None
        if failure:
            self._is_dirty = True
            raise failure


def _read_on(state: LogState, held: Readable) -> None:
    while state.position.sequence < held.tail.sequence:
        try:
            page = held.read(state.position.sequence, _PAGE_BYTES)
        except BeyondLog:  # damage, which raises the floor, up to the tail at most
            state.position = Position(held.tail.epoch, held.floor)
            continue
        apply_frames(state, _entries(page))
        state.position = Position(held.tail.epoch, page.last)


def _entries(page: Page) -> Iterator[tuple[int, StateEntry]]:
    for frame in page.frames:
        if frame is None or frame.startswith(_PUSH):
            continue
        try:
            read = decode_frame(frame)
        except InvalidFrame:
            continue
        if isinstance(read, StateFrame):
            yield read.position.sequence, read.content
