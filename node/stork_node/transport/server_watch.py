"""
What a publish server makes a relay hold, on one socket that connects to it.

libzmq counts whole messages against its high-water mark, and bounds the size of one frame. It bounds neither a message
of endless frames, nor the bytes of what waits. The kernel counts what has come: that, less what was taken in whole
messages, is what libzmq holds.
"""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import zmq

from stork_node.transport.handshakes import EVENT, OF_CLIENTS, Reachability
from stork_node.transport.tcp_traffic import traffic, waits_to_be_read

CHECK_S = 0.05
"""Between two checks: a server on the same host sends some 50 MiB in that time."""

_numbers = count(1)
_CONNECTED = int(zmq.EVENT_CONNECTED)
_NOBLOCK, _MORE, _EVENTS, _POLLIN = int(zmq.NOBLOCK), int(zmq.RCVMORE), int(zmq.EVENTS), int(zmq.POLLIN)
# The head of a frame is 9 bytes at most (ZMTP, 3.1), and a frame under CURVE has 33 more (RFC 26).
_HEAD_BYTES, _CURVE_BYTES = 9, 33
# A handshake, and heartbeats: a server that sends nothing else for weeks is connected to anew.
_CONTROL_BYTES_A_SECOND, _CONTROL_BYTES, _HANDSHAKE_BYTES = 32, 1 << 20, 4096


@dataclass(frozen=True)
class ServerLimits:
    """
    Attributes:
        frames: of one message.
        unread_bytes: how much libzmq may hold.
        unfinished_bytes: how much of that may be of a message that is not finished. A frame of no bytes at all has two
            on the wire, and needs 64 in memory.
    """

    frames: int
    unread_bytes: int
    unfinished_bytes: int


class ServerWatch:
    """
    A socket that is to be received from by this object only. To be made before the socket connects.

    Where ``check`` tells a reason, the socket is to be closed: that alone lets go of what libzmq holds.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", limits: ServerLimits, reachability: Reachability) -> None:
        self._socket, self._limits, self._reachability = socket, limits, reachability
        self._frame_bytes = _HEAD_BYTES + (_CURVE_BYTES if socket.mechanism == zmq.CURVE else 0)
        self._fault = ""
        self._former = 0  # what has come on connections that are gone
        self._taken = self._taken_before = 0
        self._since: float | None = None  # when all that had come was known to be taken
        self._connection: _Connection | None = None
        endpoint = f"inproc://stork-server-{next(_numbers)}"
        socket.monitor(endpoint, OF_CLIENTS)
        self._events: zmq.Socket[bytes] = socket.context.socket(zmq.PAIR)
        self._events.linger = self._events.rcvhwm = 0
        self._events.connect(endpoint)

    def receive(self) -> list[bytes]:
        """
        Take one whole message.

        Raises:
            zmq.Again: there is none, or one of too many frames, after which nothing is taken any more.
        """
        if self._fault:
            raise zmq.Again
        receive, get = self._socket.recv, self._socket.get
        frames = [receive(_NOBLOCK)]
        while get(_MORE):
            if len(frames) >= self._limits.frames:
                self._fault = f"a message has more than {self._limits.frames:,} frames"
                raise zmq.Again
            frames.append(receive(_NOBLOCK))
        self._taken += sum(map(len, frames)) + self._frame_bytes * len(frames)
        return frames

    @property
    def is_readable(self) -> bool:
        """Whether a whole message waits."""
        return not self._fault and bool(int(self._socket.get(_EVENTS)) & _POLLIN)

    def check(self, now: float) -> str:
        """Why the socket is to be closed; empty if nothing is wrong. ``now``: seconds that never go back."""
        self._take_events()
        if self._fault or self._connection is None:
            return self._fault
        since = self._since = now if self._since is None else self._since
        received, unread_by_libzmq = self._connection.counts()
        self._taken = min(self._taken, self._former + received)
        allowed = _HANDSHAKE_BYTES + min(_CONTROL_BYTES, int(_CONTROL_BYTES_A_SECOND * (now - since)))
        held = self._former + received - unread_by_libzmq - self._taken - allowed
        if not self.is_readable:
            if self._taken != self._taken_before:
                # A whole message came last, or hardly more than that: the rest were heads that are shorter, heartbeats.
                self._former, self._taken, self._since = 0, received - unread_by_libzmq, now
            elif held > self._limits.unfinished_bytes:
                return f"a message has no end after {held:,} bytes"
        elif held > self._limits.unread_bytes:
            return f"{held:,} bytes wait"
        self._taken_before = self._taken
        return ""

    def _take_events(self) -> None:
        with suppress(zmq.Again):
            while True:
                event, fd = EVENT.unpack(self._events.recv_multipart(_NOBLOCK)[0])
                self._reachability.note(event, fd)
                if event != _CONNECTED:
                    continue
                self._forget_connection()
                with suppress(OSError):  # it is closed already, or no descriptor is left
                    self._connection = _Connection(fd)

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._former += self._connection.counts()[0]
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Let go of the connection: before the socket is closed."""
        self._forget_connection()
        self._socket.disable_monitor()
        self._events.close()


class _Connection:
    """By a descriptor of its own: libzmq's may be closed and given away at any time."""

    def __init__(self, fd: int) -> None:
        copy = os.dup(fd)
        try:
            self._socket = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            raise

    def counts(self) -> tuple[int, int]:
        """Bytes that have come, and those of them that libzmq has not read."""
        return traffic(self._socket)[1], waits_to_be_read(self._socket)

    def close(self) -> None:
        self._socket.close()
