"""A ZMQ socket in Twisted's reactor: messages in the order they came, a bounded number for each turn."""

from collections.abc import Callable
from typing import Any

import zmq
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

# Messages in one turn of the reactor: connections get their turn even under a flood.
_MESSAGES_A_TURN = 500


@implementer(IReadDescriptor)
class ZmqReader:
    """
    Calls ``received(frames)`` for each message of ``socket``, until ``close``.

    A ZMQ socket's file descriptor is edge-triggered (zmq_getsockopt(3), ZMQ_FD): it tells once that something has come,
    so that the socket must be read until it is empty, or be looked at again without being told.
    """

    log = Logger()

    def __init__(self, reactor: Any, socket: "zmq.Socket[bytes]", received: Callable[[list[bytes]], None]) -> None:
        self._reactor, self._socket, self._received = reactor, socket, received
        self._again: Any = None
        reactor.addReader(self)
        self._look_again()

    def fileno(self) -> int:
        return -1 if self._socket.closed else int(self._socket.FD)

    def logPrefix(self) -> str:
        return "zmq"

    def connectionLost(self, reason: Any) -> None:
        self.close()

    def doRead(self) -> None:
        for _ in range(_MESSAGES_A_TURN):
            if self._socket.closed:
                return
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._hand_on(frames)
        self._look_again()

    def _hand_on(self, frames: list[bytes]) -> None:
        # The reactor drops a reader that raises: one message that cannot be handled must not end all that follow it.
        try:
            self._received(frames)
        except Exception:
            self.log.failure("a message could not be handled")

    def _look_again(self) -> None:
        if self._again is None:
            self._again = self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._again = None
        self.doRead()

    def close(self) -> None:
        if self._socket.closed:
            return
        self._reactor.removeReader(self)
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._socket.close(0)
