"""
The answered connection of the HTTP API to the publish server: pushes of all requests go over it in one order.

The publish server takes all pushes that wait at once, so many requests at a time make large batches.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

import zmq
from twisted.logger import Logger

from stork_crossbar.internals.zmq_reader import Message, ZmqReader
from stork_node.api.pushes import ApiPush
from stork_node.clients.pending_pushes import PendingPushes
from stork_node.clients.push_connections import FIRST_RETRY, WINDOW
from stork_node.clients.push_target import PushTarget

MAX_WAITING_BYTES = 64 << 20
"""Of all pushes without an answer."""

_CHECK_S = 0.1
_NO_ANSWER = "the publish server did not answer in time: the push may be stored or not"
_TOO_MANY = "too many pushes wait for the publish server"


class PushLink:
    """
    Args:
        timeout_s: after it a push without an answer is not confirmed.
    """

    log = Logger()

    def __init__(self, reactor: Any, target: PushTarget, timeout_s: float) -> None:
        self._reactor, self._target, self._timeout_s = reactor, target, timeout_s
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._unsent: deque[ApiPush] = deque()
        self._sent = PendingPushes()
        self._given_up_at: deque[tuple[float, ApiPush]] = deque()
        self.waiting_bytes = 0
        self._patience_s = self._retry_at = 0.0
        self._timer: Any = None
        self._turn: Any = None
        self._open()

    def send(self, pushes: Iterable[ApiPush]) -> None:
        """Send each push, and settle it later; one that cannot wait is refused now."""
        give_up_at = self._reactor.seconds() + self._timeout_s
        for push in pushes:
            if self.waiting_bytes + len(push.frame) > MAX_WAITING_BYTES:
                push.refuse("not_confirmed", _TOO_MANY)
                continue
            self.waiting_bytes += len(push.frame)
            self._given_up_at.append((give_up_at, push))
            self._unsent.append(push)
        if self._timer is None and self._given_up_at:
            self._timer = self._reactor.callLater(_CHECK_S, self._check)
        if self._turn is None:
            # With the pushes of the other requests of this turn: the publish server stores them by one write.
            self._turn = self._reactor.callLater(0, self._send_more)

    def _send_more(self) -> None:
        self._turn = None
        if not self._unsent:
            return
        if not self._sent:
            self._be_patient()
        while self._unsent and len(self._sent) < WINDOW:
            push = self._unsent.popleft()
            if push.answer is None:
                self._sent.add(push)
                self._socket.send(push.frame, zmq.NOBLOCK)
        self._reader.look_again()

    def _received(self, messages: list[Message]) -> None:
        settled: list[Any] = [push for message in messages if (push := self._sent.settle(message[0])) is not None]
        if settled:
            self._be_patient()
        for push in settled:
            self.waiting_bytes -= len(push.frame)
            push.take_outcome()
        if self._turn is None:
            self._send_more()

    def _be_patient(self) -> None:
        self._patience_s = FIRST_RETRY * self._timeout_s
        self._retry_at = self._reactor.seconds() + self._patience_s

    def _check(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        while self._given_up_at and (self._given_up_at[0][0] <= now or self._given_up_at[0][1].answer is not None):
            _, push = self._given_up_at.popleft()
            if push.answer is None:
                self._sent.drop(push)
                self.waiting_bytes -= len(push.frame)
                push.refuse("not_confirmed", _NO_ANSWER)
        if self._sent and now >= self._retry_at:
            self._patience_s *= 2
            self._retry_at = now + self._patience_s
            self._start_again()
        if self._turn is None:
            self._send_more()
        if self._given_up_at:
            self._timer = self._reactor.callLater(_CHECK_S, self._check)

    def _start_again(self) -> None:
        self._reader.close()
        self._open()
        for frame in self._sent.frames():
            self._socket.send(frame, zmq.NOBLOCK)
        self._reader.look_again()

    def _open(self) -> None:
        self._socket = self._target.connect(self._context)
        self._reader = ZmqReader(self._reactor, self._socket, self._received)

    def close(self) -> None:
        for waiting in (self._timer, self._turn):
            if waiting is not None:
                waiting.cancel()
        self._timer = self._turn = None
        self._reader.close()
