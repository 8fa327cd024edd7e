"""Frames of the bus that wait for a page."""

from collections import deque

from stork_node.protocol.bus import EraseFrame, Frame, Heartbeat, PushFrame

MAX_BYTES = 16 << 20
# A frame's objects beside its event, with an epoch, a run and a topic of usual lengths; by tracemalloc.
_FRAME_BYTES, _TOPIC_BYTES, _EXCLUDED_BYTES = 350, 60, 40


class Waiting:
    """The newest frames, as many as fit: replay brings what was dropped."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._before = 0

    def add(self, frame: Frame) -> int:
        """Add a frame; heartbeats are of no use later. Returns how many were dropped for it."""
        if isinstance(frame, Heartbeat):
            return 0
        self._frames.append(frame)
        self._bytes += _size(frame)
        dropped = 0
        while self._bytes > self._max_bytes:
            self._bytes -= _size(self._frames.popleft())
            dropped += 1
        self._before = max(0, self._before - dropped)
        return dropped

    def mark(self) -> None:
        """A page is asked for now: what waits was published before."""
        self._before = len(self._frames)

    def take(self, key: tuple[str, str], tail: int) -> tuple[list[Frame], int]:
        """
        Those of one epoch and run, in order; the others are forgotten.

        So are those that were published before the page was asked for, if its ``tail`` is lower: their numbers were
        never given. Returns how many those were, too.
        """
        frames, false = [], 0
        for number, frame in enumerate(self._frames):
            if (frame.position.epoch, frame.run) != key:
                continue
            if number < self._before and frame.position.sequence > tail:
                false += 1
            else:
                frames.append(frame)
        self._frames.clear()
        self._bytes = self._before = 0
        return frames, false


def _size(frame: Frame) -> int:
    size = _FRAME_BYTES + len(frame.position.epoch) + len(frame.run)
    if isinstance(frame, EraseFrame):
        return size + len(frame.topic)
    if not isinstance(frame, PushFrame):
        return size
    size += sum(map(len, frame.topics)) + _TOPIC_BYTES * len(frame.topics)
    return size + _EXCLUDED_BYTES * len(frame.exclude) + len(frame.event)
