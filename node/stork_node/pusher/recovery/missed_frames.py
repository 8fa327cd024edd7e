"""What a client has missed in a channel, as frames in pages. All but the last frame say that more follow."""

from typing import Any

from stork_node.errors import UnwritableEvent
from stork_node.pusher import server_frames


class MissedFrames:
    """
    One frame is kept back until it is known whether another one follows: so the client knows which one is the last.

    Args:
        missed: the pushes (``relay.missed.MissedPushes``).
        max_bytes: of the events of a page; a single event may have more.

    Attributes:
        is_over: there are no more pages.
    """

    def __init__(self, channel: str, missed: Any, max_bytes: int) -> None:
        self._channel, self._missed, self._max_bytes = channel, missed, max_bytes
        self._kept_back = b""
        self.is_over = not missed.is_recovered
        self.has_any = False

    def next(self) -> list[bytes] | None:
        """
        The frames of the next page.

        Returns:
            None if the history has lost some of them, or one of them cannot be written.
        """
        bodies: list[bytes] = [self._kept_back] if self._kept_back else []
        while not self.is_over and len(bodies) < 2:
            if not self._missed.is_complete:
                self._fail()
                return None
            events, has_more = self._missed.read(self._max_bytes)
            try:
                written = [server_frames.event_body(event, position) for event, position in events]
            except UnwritableEvent:
                self._fail()
                return None
            bodies += filter(None, written)
            self.is_over = not has_more
        self._kept_back = b"" if self.is_over or not bodies else bodies.pop()
        self.has_any = self.has_any or bool(bodies or self._kept_back)
        frames = [server_frames.event(self._channel, server_frames.with_more(body)) for body in bodies]
        if self.is_over and bodies:
            frames[-1] = server_frames.event(self._channel, bodies[-1])
        return frames

    def _fail(self) -> None:
        self.is_over, self.has_any, self._kept_back = True, False, b""
