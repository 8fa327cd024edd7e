"""The connections of one publisher in one process."""

import threading
import time
from collections import deque
from collections.abc import Sequence

import zmq

from stork_node.clients import cooperative
from stork_node.clients.pending_pushes import PendingPush, PendingPushes
from stork_node.clients.push_target import PushTarget
from stork_node.errors import NotConfirmed
from stork_node.transport.handshakes import WatchedHandshakes

WINDOW = 1_000
"""Maximum of pushes that wait for their answers on one connection."""

FIRST_RETRY = 0.25
"""The part of the time-out after which pushes are sent again; each further attempt waits twice as long."""

MAX_IDLE = 32
"""Maximum of idle sockets that are kept, after many threads have pushed at the same time."""

NO_ANSWER = "no answer (is the publish server running there, and the secret the same?)"
QUEUE_FULL = "nobody takes pushes there, and the queue is full"
CLOSED = "the publisher was closed"


class PushConnections:
    """
    Sockets for any number of threads.

    Answered pushes use one socket for each exchange, kept for the next one when all its answers are in. A socket that
    still owes an answer is closed, so that no late answer meets a later push. Unanswered pushes use one socket and a
    lock, because a single socket keeps their order.
    """

    def __init__(self, target: PushTarget) -> None:
        self._target = target
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._idle: deque[zmq.Socket[bytes]] = deque()
        self._unanswered: zmq.Socket[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def send(self, frames: Sequence[bytes], timeout_ms: int) -> None:
        """
        Hand frames to the socket that gets no answers.

        Raises:
            NotConfirmed: its queue has been full for ``timeout_ms``.
        """
        with self._lock:
            if self._unanswered is None:
                self._unanswered = self._target.connect(self._context)
            for frame in frames:
                if not cooperative.send(self._unanswered, frame, timeout_ms / 1000):
                    raise NotConfirmed(self._target.endpoint, timeout_ms, QUEUE_FULL)

    def exchange(self, pending_pushes: Sequence[PendingPush], timeout_ms: int) -> None:
        """
        Send all pushes in order, and wait for their outcomes.

        Raises:
            NotConfirmed: no further outcome for ``timeout_ms``; some pushes may have theirs.
        """
        try:
            exchange = _Exchange(self._target, self._context, self._take_idle(), timeout_ms)
            exchange.run(pending_pushes)
        except zmq.ZMQError:
            if self._closed:
                raise NotConfirmed(self._target.endpoint, timeout_ms, CLOSED) from None
            raise
        self._idle.append(exchange.socket)
        self._close_idle(keep=0 if self._closed else MAX_IDLE)

    def close(self) -> None:
        """
        Close all sockets. This wakes the threads that wait for answers, and waits for unsent pushes as the target says.
        """
        self._closed = True
        self._close_idle(keep=0)
        with self._lock:
            if self._unanswered:
                self._unanswered.close()
        self._context.term()

    def _take_idle(self) -> "zmq.Socket[bytes] | None":
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _close_idle(self, keep: int) -> None:
        while len(self._idle) > keep and (socket := self._take_idle()):
            socket.close()


class _Exchange:
    """
    Pending pushes that are sent and answered over one socket at a time. After ``run``, ``socket`` can be used again.
    """

    def __init__(
        self,
        target: PushTarget,
        context: "zmq.Context[zmq.Socket[bytes]]",
        socket: "zmq.Socket[bytes] | None",
        timeout_ms: int,
    ) -> None:
        self._target, self._context, self._timeout_ms = target, context, timeout_ms
        self._outstanding = PendingPushes()
        self.socket = socket or target.connect(context)
        self._handshakes: WatchedHandshakes | None = None

    def run(self, pending_pushes: Sequence[PendingPush]) -> None:
        try:
            unsent = deque(pending_pushes)
            while unsent or self._outstanding:
                while unsent and len(self._outstanding) < WINDOW:
                    pending_push = unsent.popleft()
                    self._outstanding.add(pending_push)
                    self.socket.send(pending_push.frame)
                self._settle_one()
        except BaseException:
            self._close_socket()
            raise
        self._unwatch()

    def _settle_one(self) -> None:
        start = now = time.monotonic()
        patience_s = FIRST_RETRY * self._timeout_ms / 1000
        retry_at = start + patience_s
        give_up_at = start + self._timeout_ms / 1000
        while not self._receive(min(retry_at, give_up_at) - now):
            now = time.monotonic()
            if now >= give_up_at:
                trouble = self._handshakes.trouble if self._handshakes else ""
                raise NotConfirmed(self._target.endpoint, self._timeout_ms, trouble or NO_ANSWER)
            if now >= retry_at:
                patience_s *= 2
                retry_at = now + patience_s
                self._start_again()

    def _receive(self, timeout_s: float) -> bool:
        """Whether an answer came for which a caller waits."""
        answer = cooperative.receive(self.socket, timeout_s)
        return answer is not None and self._outstanding.settle(answer) is not None

    def _start_again(self) -> None:
        self._close_socket()
        self.socket, self._handshakes = self._target.connect_watched(self._context)
        for frame in self._outstanding.frames():
            self.socket.send(frame)

    def _close_socket(self) -> None:
        self._unwatch()
        self.socket.close()

    def _unwatch(self) -> None:
        if self._handshakes:
            self._handshakes.close()
            self._handshakes = None
