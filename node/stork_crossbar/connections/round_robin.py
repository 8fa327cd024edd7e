"""
Round-robin reading: a few frames of each connection at a time.

autobahn reads all frames of a TCP segment before it reads another connection: some 10,000 pings or 1,000 calls. Here
each connection has a few frames read at once. Each turn of the reactor then reads the rest for a few milliseconds,
connection by connection. Meanwhile Twisted reads nothing more from these sockets, so TCP slows their senders down.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol
from twisted.logger import Logger

FRESH_S = 0.010
"""The time in a turn of the reactor for connections that had no unread frames before."""
BACKLOG_S = 0.005
"""The time in a turn of the reactor for the unread frames of earlier turns."""
_CONNECTIONS_S = 0.005
"""The time for one connection before the others come, even if it had fewer frames."""
_LOOK_S = 0.05
# Of those held because they do not read, as only looking tells when they have, and of the others, which are let go.
_LOOKED_AT = 32
_LOOKED_AT_OTHERS = 4
# autobahn takes the head of a frame and its payload in two steps.
_STEPS_A_FRAME = 2

BYTES = "waiting_bytes"
"""The limit that a client is below again when it has read, which nobody is told."""


class RoundRobinReader:
    """
    The connections that have unread frames.

    Args:
        frames: maximum of frames of one connection before the others come.
        held_by: the limit that stops the reading of a connection now, or None.
        note: is called each time that a limit stops a connection.
        clock: seconds of any monotonic clock.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        held_by: Callable[[Any], str | None],
        note: Callable[[str], None],
        frames: Callable[[], int] = lambda: 8,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reactor, self._held_by, self._note, self._frames, self._clock = reactor, held_by, note, frames, clock
        self._fresh: deque[Any] = deque()
        self._backlog: deque[Any] = deque()
        self._queued: set[Any] = set()
        # In the order in which they are looked at: those that wait for bytes to be read, and all others.
        self._held_by_bytes: dict[Any, None] = {}
        self._held: dict[Any, None] = {}
        self._is_fresh_next = True
        self._spent_s = 0.0
        self._next: Any = None
        self._look_at: Any = None

    def take(self, protocol: Any) -> None:
        """``protocol`` has received bytes."""
        if self.has_unread(protocol):
            protocol.transport.pauseProducing()  # somebody else may have had it read on
            return
        if self._spent_s >= FRESH_S:
            self._queue(protocol, self._fresh)
        else:
            began = self._clock()
            self._read(protocol)
            self._spent_s += self._clock() - began
        self._run_later()

    def has_unread(self, protocol: Any) -> bool:
        """Whether frames of this connection wait here."""
        return protocol in self._queued or self._is_held(protocol)

    def _is_held(self, protocol: Any) -> bool:
        return protocol in self._held or protocol in self._held_by_bytes

    def let_go(self, protocol: Any) -> None:
        """``protocol`` may be read again: its client got an answer."""
        if self._is_held(protocol) and self._held_by(protocol) is None:
            self._forget(protocol)
            self._queue(protocol, self._backlog)
            self._run_later()

    def _forget(self, protocol: Any) -> None:
        self._held.pop(protocol, None)
        self._held_by_bytes.pop(protocol, None)

    def _read(self, protocol: Any) -> bool:
        """Read a few frames. Returns whether no more can be read now."""
        end = self._clock() + _CONNECTIONS_S
        for _ in range(_STEPS_A_FRAME * self._frames()):
            if limit := self._held_by(protocol):
                self._hold(protocol, limit)
                return False
            goes_on = protocol.processData()
            if not goes_on or protocol.state == WebSocketProtocol.STATE_CLOSED:
                return True
            if self._clock() >= end:
                break
        self._queue(protocol, self._backlog)
        return False

    def _queue(self, protocol: Any, queue: deque[Any]) -> None:
        protocol.transport.pauseProducing()
        self._queued.add(protocol)
        queue.append(protocol)

    def _hold(self, protocol: Any, limit: str) -> None:
        self._note(limit)
        protocol.transport.pauseProducing()
        (self._held_by_bytes if limit == BYTES else self._held)[protocol] = None
        if self._look_at is None:
            self._look_at = self._reactor.callLater(_LOOK_S, self._look)

    def _look(self) -> None:
        self._look_at = None
        self._look_at_some(self._held_by_bytes, _LOOKED_AT)
        self._look_at_some(self._held, _LOOKED_AT_OTHERS)
        if self._held or self._held_by_bytes:
            self._look_at = self._reactor.callLater(_LOOK_S, self._look)

    def _look_at_some(self, held: dict[Any, None], count: int) -> None:
        """
        Look at the first ``count`` connections, and move them to the end: so many paused connections cost no more than
        a few.
        """
        for protocol in list(itertools.islice(held, count)):
            if protocol.state == WebSocketProtocol.STATE_CLOSED:
                del held[protocol]
                continue
            limit = self._held_by(protocol)
            del held[protocol]
            if limit is None:
                self._queue(protocol, self._backlog)
                self._run_later()
            else:
                (self._held_by_bytes if limit == BYTES else self._held)[protocol] = None

    def _run_later(self) -> None:
        if self._next is None:
            self._next = self._reactor.callLater(0, self._run)

    def _run(self) -> None:
        """Read for one turn of the reactor; it is called once in each turn while frames wait."""
        self._next, self._spent_s = None, 0.0
        end = self._clock() + BACKLOG_S
        while self._queued and self._clock() < end:
            protocol = self._take_next()
            try:
                if protocol.state == WebSocketProtocol.STATE_CLOSED or self._read(protocol):
                    protocol.transport.resumeProducing()
            except Exception:
                # Twisted does the same if it happens in the turn that received the bytes.
                self.log.failure("a message could not be read; its connection is cut")
                protocol.transport.abortConnection()
        if self._queued:
            self._run_later()

    def _take_next(self) -> Any:
        """The next connection, from both queues alternately: neither waits for the end of the other."""
        self._is_fresh_next = bool(self._fresh) and (self._is_fresh_next or not self._backlog)
        queue = self._fresh if self._is_fresh_next else self._backlog
        self._is_fresh_next = not self._is_fresh_next
        protocol = queue.popleft()
        self._queued.discard(protocol)
        return protocol
