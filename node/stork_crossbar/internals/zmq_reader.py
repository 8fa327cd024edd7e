"""A ZMQ socket in Twisted's reactor: in each turn it hands on all waiting messages, in order."""

from collections.abc import Callable
from functools import partial
from typing import Any

import zmq
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from stork_node.relay.pacing import MOST_BYTES, TurnSize

Message = list[bytes]


@implementer(IReadDescriptor)
class ZmqReader:
    """
    Calls ``received(messages)`` with all waiting messages of ``socket``, until ``close``; it must not raise.

    ``receive`` takes one message of the socket, or raises ``zmq.Again``.

    Under a flood one turn of the reactor takes so many that it lasts about 30 ms, and the next one goes on.

    A ZMQ socket's file descriptor is edge-triggered (zmq_getsockopt(3), ZMQ_FD): it signals once that messages have
    come. So the socket must be read until it is empty, or be read again without a signal.
    """

    def __init__(
        self,
        reactor: Any,
        socket: "zmq.Socket[bytes]",
        received: Callable[[list[Message]], None],
        receive: Callable[[], Message] | None = None,
    ) -> None:
        self._reactor, self._socket, self._received = reactor, socket, received
        self._receive = receive or partial(socket.recv_multipart, zmq.NOBLOCK)
        self._size = TurnSize()
        self._again: Any = None
        reactor.addReader(self)
        self.look_again()

    def fileno(self) -> int:
        return -1 if self._socket.closed else int(self._socket.FD)

    def logPrefix(self) -> str:
        return "zmq"

    def connectionLost(self, reason: Any) -> None:
        self.close()

    def doRead(self) -> None:
        if self._again is None:
            self._take()

    def look_again(self) -> None:
        """Read again in the next turn. Call it after sending: a send can clear the descriptor's signal."""
        if self._again is None and not self._socket.closed:
            self._again = self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._again = None
        self._take()

    def _take(self) -> None:
        started = self._reactor.seconds()
        messages, is_all = self._waiting()
        if messages:
            self._received(messages)
            self._size.note(len(messages), self._reactor.seconds() - started)
        if not is_all:
            self.look_again()

    def _waiting(self) -> tuple[list[Message], bool]:
        """The waiting messages, as many as fit into a turn, and whether these were all."""
        messages: list[Message] = []
        left = MOST_BYTES
        while len(messages) < self._size.messages and left > 0:
            if self._socket.closed:
                return messages, True
            try:
                message = self._receive()
            except zmq.Again:
                return messages, True
            messages.append(message)
            left -= sum(map(len, message))
        return messages, False

    def close(self, linger_ms: int = 0) -> None:
        """Read no more, and close the socket; what is not sent yet has ``linger_ms``."""
        if self._socket.closed:
            return
        self._reactor.removeReader(self)
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._socket.close(linger_ms)
