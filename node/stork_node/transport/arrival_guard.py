"""
Ends connections that send more than they may, at once, from a thread of its own.

libzmq takes subscriptions within whatever call there is for their socket, and goes on for as long as more of them come.
The thread that called it looks at nobody meanwhile.
"""

import select
import socket
import struct
import threading
import time
from collections import deque
from contextlib import suppress

import zmq

from stork_node.transport.handshakes import FAILED
from stork_node.transport.inflow import Inflow
from stork_node.transport.peer import duplicate, end, names_of
from stork_node.transport.tcp_traffic import traffic

_EVENT = struct.Struct("=HI")
_ACCEPTED = int(zmq.EVENT_ACCEPTED)
_LOOK_S = 0.1  # whether the thread is to end
_AT_ONCE = 64


class ArrivalGuard:
    """
    Looks at a connection each time that something comes by it. For Linux, as the kernel's counters are.

    Args:
        monitor: says who comes and goes; the guard's from now on.
        control_bytes: what heartbeats may need, in bytes a second.
        most_bytes: what a connection may send beyond that.

    Attributes:
        events: what ``monitor`` has said, once the guard knows it.
        cuts: names of connections that were ended, and why, since somebody last took it.
    """

    def __init__(self, monitor: "zmq.Socket[bytes]", control_bytes: float, most_bytes: int) -> None:
        self._monitor, self._control_bytes, self._most_bytes = monitor, control_bytes, most_bytes
        self.cuts: deque[tuple[str, str]] = deque()
        self._connections: dict[int, tuple[socket.socket, Inflow]] = {}  # by libzmq's descriptor
        self._at: dict[int, int] = {}  # libzmq's descriptor by that of the connection
        self._told, self.events = _pair(monitor.context, f"inproc://stork-guard-{id(self)}")
        self._is_closed = False
        self._epoll = select.epoll()
        self._epoll.register(int(monitor.getsockopt(zmq.FD)), select.EPOLLIN)
        self._thread = threading.Thread(target=self._work, name="stork-arrivals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; the sockets are the context's to close."""
        self._is_closed = True
        self._thread.join()

    def _work(self) -> None:
        with self._epoll:
            while not self._is_closed:
                ready = [fd for fd, _ in self._epoll.poll(_LOOK_S, _AT_ONCE)]
                self._take_events()
                for fd in ready:
                    if fd in self._at:
                        self._look_at(self._at[fd])
            for fd in list(self._connections):
                self._forget(fd)

    def _take_events(self) -> None:
        while True:
            try:
                frames = self._monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            event, fd = _EVENT.unpack(frames[0])
            if not event & FAILED:
                self._forget(fd)  # also where libzmq has closed one without a word
            if event == _ACCEPTED:
                with suppress(OSError):  # it is closed already, or no descriptor is left
                    self._add(fd, frames[1])
            self._told.send_multipart(frames)

    def _add(self, fd: int, endpoint: bytes) -> None:
        connection = duplicate(fd)
        if not endpoint.endswith(b":%d" % connection.getsockname()[1]):
            connection.close()  # the descriptor is that of another port's peer by now
            return
        self._connections[fd] = connection, Inflow(self._control_bytes, time.monotonic())
        self._at[connection.fileno()] = fd
        self._epoll.register(connection, select.EPOLLIN | select.EPOLLET)

    def _forget(self, fd: int) -> None:
        known = self._connections.pop(fd, None)
        if known:
            connection, _ = known
            del self._at[connection.fileno()]
            self._epoll.unregister(connection)  # others have it open, so that closing it is not enough
            connection.close()

    def _look_at(self, fd: int) -> None:
        connection, inflow = self._connections[fd]
        came = inflow.measure(traffic(connection)[1], time.monotonic())
        if came > self._most_bytes:
            _, name = names_of(connection)
            end(connection)
            self._forget(fd)
            self.cuts.append((name, f"{came:,} bytes have come from it that are no heartbeats"))


def _pair(context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str) -> "tuple[zmq.Socket[bytes], zmq.Socket[bytes]]":
    one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    for each in (one, other):
        each.linger = each.sndhwm = each.rcvhwm = 0
    one.bind(endpoint)
    other.connect(endpoint)
    return one, other
