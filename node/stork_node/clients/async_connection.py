"""The connection of an ``AsyncPublisher``: one socket, many pushes at the same time, on one event loop."""

import asyncio
from collections.abc import Sequence

import zmq

from stork_node.clients.pending_pushes import PendingPush, PendingPushes
from stork_node.clients.push_connections import CLOSED, FIRST_RETRY, NO_ANSWER, QUEUE_FULL, WINDOW
from stork_node.clients.push_target import PushTarget
from stork_node.errors import NotConfirmed
from stork_node.transport.handshakes import WatchedHandshakes

_FULL_QUEUE_PAUSE_S = 0.005


class AsyncConnection:
    """
    It is made in the running event loop, and only works there.

    A socket that stays silent while answers are due is replaced, and unanswered pushes are sent again in order. This is
    as in ``PushConnections``, with one patience for all pushes.
    """

    def __init__(self, target: PushTarget, timeout_ms: int) -> None:
        self._target, self._timeout_ms = target, timeout_ms
        self._loop = asyncio.get_running_loop()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._outstanding = PendingPushes()
        self._futures: dict[PendingPush, asyncio.Future[None]] = {}
        self._window = asyncio.Semaphore(WINDOW)
        self._patience_s = self._retry_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reading_soon = False
        self._handshakes: WatchedHandshakes | None = None
        self._socket = self._read_from(target.connect(self._context))

    async def send(self, frames: Sequence[bytes]) -> None:
        """
        Hand frames to a socket that gets no answers.

        Raises:
            NotConfirmed: its queue has been full for the time-out.
        """
        for frame in frames:
            give_up_at = self._loop.time() + self._timeout_ms / 1000
            while not self._try_to_send(frame):
                if self._loop.time() >= give_up_at:
                    raise self._not_confirmed(QUEUE_FULL)
                await asyncio.sleep(_FULL_QUEUE_PAUSE_S)

    async def exchange(self, pending_pushes: Sequence[PendingPush]) -> None:
        """
        Send all pushes in order, and wait for their outcomes.

        Raises:
            NotConfirmed: no outcome of a push within the time-out; others may have theirs.
        """
        sent: list[tuple[PendingPush, asyncio.Future[None], float]] = []
        try:
            for pending_push in pending_pushes:
                async with asyncio.timeout(self._timeout_ms / 1000):
                    await self._window.acquire()
                if self._socket.closed:
                    raise self._not_confirmed(CLOSED)
                sent.append((pending_push, self._submit(pending_push), self._loop.time() + self._timeout_ms / 1000))
            for pending_push, future, give_up_at in sent:
                if not future.done():
                    async with asyncio.timeout_at(give_up_at):
                        await future
                if pending_push.outcome is None:
                    raise self._not_confirmed(CLOSED)
        except TimeoutError:
            trouble = self._handshakes.trouble if self._handshakes else ""
            raise self._not_confirmed(trouble or NO_ANSWER) from None
        finally:
            self._drop([pending_push for pending_push, _, _ in sent])

    async def close(self) -> None:
        """Close: open pushes fail. Waits for unsent pushes, as the target says."""
        self._disconnect(None)
        self._fail_all()
        await self._loop.run_in_executor(None, self._context.term)

    def abandon(self) -> None:
        """Close without waiting: in this connection's loop, or from another one when this loop has ended."""
        self._disconnect(0)
        if not self._loop.is_closed():
            self._fail_all()
        self._context.term()

    def _fail_all(self) -> None:
        for future in self._futures.values():
            if not future.done():
                future.set_result(None)

    def _submit(self, pending_push: PendingPush) -> "asyncio.Future[None]":
        future = self._futures[pending_push] = self._loop.create_future()
        if not self._outstanding:
            self._be_patient()
        self._outstanding.add(pending_push)
        self._socket.send(pending_push.frame)
        self._read_soon()
        if self._timer is None:
            self._timer = self._loop.call_at(self._retry_at, self._check)
        return future

    def _drop(self, pending_pushes: Sequence[PendingPush]) -> None:
        given_up = [pending_push for pending_push in pending_pushes if self._futures.pop(pending_push, None)]
        for pending_push in given_up:
            self._outstanding.drop(pending_push)
            self._window.release()
        if any(pending_push.id is None for pending_push in given_up) and not self._socket.closed:
            self._start_again()  # a late position has no id that tells it from a later one

    def _be_patient(self) -> None:
        self._patience_s = FIRST_RETRY * self._timeout_ms / 1000
        self._retry_at = self._loop.time() + self._patience_s

    def _check(self) -> None:
        self._timer = None
        if not self._outstanding:
            return
        if self._loop.time() >= self._retry_at:
            self._patience_s *= 2
            self._retry_at = self._loop.time() + self._patience_s
            self._start_again()
        self._timer = self._loop.call_at(self._retry_at, self._check)

    def _start_again(self) -> None:
        self._disconnect(0)
        socket, self._handshakes = self._target.connect_watched(self._context)
        self._socket = self._read_from(socket)
        for frame in self._outstanding.frames():
            self._socket.send(frame)
        self._read_soon()

    def _read_from(self, socket: "zmq.Socket[bytes]") -> "zmq.Socket[bytes]":
        self._loop.add_reader(socket.fileno(), self._read_soon)
        return socket

    def _disconnect(self, linger_ms: int | None) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if not self._socket.closed:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._socket.fileno())
            self._unwatch()
            self._socket.close(linger_ms)

    def _unwatch(self) -> None:
        if self._handshakes:
            self._handshakes.close()
            self._handshakes = None

    def _try_to_send(self, frame: bytes) -> bool:
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        finally:
            self._read_soon()
        return True

    def _read_soon(self) -> None:
        # The descriptor signals a change only once (zmq_getsockopt(3), ZMQ_FD), and sending may clear the signal. So
        # all messages are read after each signal and after each send. zmq.asyncio does so at many times the cost.
        if not self._reading_soon:
            self._reading_soon = True
            self._loop.call_soon(self._read)

    def _read(self) -> None:
        self._reading_soon = False
        try:
            while not self._socket.closed:
                pending_push = self._outstanding.settle(self._socket.recv(zmq.NOBLOCK))
                if pending_push is not None:
                    self._unwatch()
                    self._be_patient()
                    self._window.release()
                    future = self._futures.pop(pending_push)
                    if not future.done():
                        future.set_result(None)
        except zmq.Again:
            pass

    def _not_confirmed(self, cause: str) -> NotConfirmed:
        return NotConfirmed(self._target.endpoint, self._timeout_ms, cause)
