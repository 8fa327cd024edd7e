"""
The answered connection of the HTTP API to the publish server: pushes of all requests go over it in one order.

The publish server takes all pushes that wait at once, so many requests at a time make large batches. Those of one turn
go in one frame (``protocol.answers``), once an answer has shown that the publish server takes such frames.
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
from stork_node.protocol.answers import MAX_BUNDLE_BYTES, decode_answer, decode_answers, encode_bundle

MAX_WAITING_BYTES = 64 << 20
"""Of all pushes without an answer."""

# Its answer shows whether there may be others.
_FIRST_BUNDLE = encode_bundle([b'{"outcome":"none","id":"first bundle"}'])
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
        self._takes_bundles = False
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
        frames: list[bytes] = []
        size = 0
        while self._unsent and len(self._sent) < WINDOW:
            push = self._unsent.popleft()
            if push.answer is not None:
                continue
            self._sent.add(push)
            if size + len(push.frame) > MAX_BUNDLE_BYTES:
                self._send_frames(frames)
                frames, size = [], 0
            frames.append(push.frame)
            size += len(push.frame) + 1
        self._send_frames(frames)
        self._reader.look_again()

    def _send_frames(self, frames: list[bytes]) -> None:
        if self._takes_bundles and len(frames) > 1:
            frames = [encode_bundle(frames)]
        for frame in frames:
            self._socket.send(frame, zmq.NOBLOCK)

    def _received(self, messages: list[Message]) -> None:
        settled: list[Any] = []
        for [frame, *_] in messages:
            answers = decode_answers(frame)
            if answers is not None:
                self._takes_bundles = True
                settled += filter(None, map(self._sent.settle_by, answers))
                continue
            answer = decode_answer(frame)
            if answer is None:
                continue
            if not answer.ok and answer.id is None:  # each push has an id: it could not read a bundle, or the first one
                self._do_without_bundles()
            elif push := self._sent.settle_by(answer):
                settled.append(push)
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

    def _do_without_bundles(self) -> None:
        """The publish server is of an older release. If it took the place of a newer one, the bundles are lost."""
        if self._takes_bundles:
            self._takes_bundles = False
            self._start_again()

    def _start_again(self) -> None:
        self._reader.close()
        self._open()
        for frame in self._sent.frames():
            self._socket.send(frame, zmq.NOBLOCK)
        self._reader.look_again()

    def _open(self) -> None:
        self._socket = self._target.connect(self._context)
        self._reader = ZmqReader(self._reactor, self._socket, self._received)
        self._socket.send(_FIRST_BUNDLE, zmq.NOBLOCK)

    def close(self) -> None:
        for waiting in (self._timer, self._turn):
            if waiting is not None:
                waiting.cancel()
        self._timer = self._turn = None
        self._reader.close()
