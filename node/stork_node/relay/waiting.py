"""Frames of the bus that wait for a page."""

from collections import deque

from stork_node.protocol.bus import Frame, Heartbeat, PushFrame

MAX_BYTES = 16 << 20
# A frame's objects beside its event; 420 bytes for one topic, by tracemalloc.
_FRAME_BYTES, _TOPIC_BYTES, _EXCLUDED_BYTES = 350, 80, 40


class Waiting:
    """The newest frames, as many as fit: replay brings what was dropped."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0

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
        return dropped

    def take(self, key: tuple[str, str]) -> list[Frame]:
        """Those of one epoch and run, in order; the others are forgotten."""
        frames = [frame for frame in self._frames if (frame.position.epoch, frame.run) == key]
        self._frames.clear()
        self._bytes = 0
        return frames


def _size(frame: Frame) -> int:
    if not isinstance(frame, PushFrame):
        return _FRAME_BYTES
    return _FRAME_BYTES + _TOPIC_BYTES * len(frame.topics) + _EXCLUDED_BYTES * len(frame.exclude) + len(frame.event)
