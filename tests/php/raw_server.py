"""TCP servers that are no ROUTER: bytes to the letter, and a proxy that can cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
DEADLINE_S = 30


def frame(body: bytes, flags: int = 0) -> bytes:
    """One ZMTP 3 frame."""
    if len(body) > 255:
        return bytes([flags | 2]) + len(body).to_bytes(8) + body
    return bytes([flags, len(body)]) + body


def ready(socket_type: bytes = b"ROUTER") -> bytes:
    """A READY command, framed."""
    return frame(b"\x05READY\x0bSocket-Type" + len(socket_type).to_bytes(4) + socket_type, 4)


def free_port() -> int:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Peer:
    """One accepted connection, read in exact amounts."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def read(self, count: int) -> bytes:
        """So many bytes; fewer where the client ended first."""
        data = b""
        while len(data) < count and (more := self.connection.recv(count - len(data))):
            data += more
        return data

    def read_whole(self, count: int) -> bytes:
        """So many bytes; a ConnectionError where the client has given up before."""
        data = self.read(count)
        if len(data) < count:
            raise ConnectionResetError
        return data

    def read_frame(self) -> tuple[int, bytes]:
        """Flags and body."""
        flags = self.read_whole(1)[0]
        size = int.from_bytes(self.read_whole(8 if flags & 2 else 1))
        return flags, self.read_whole(size)

    def greet(self) -> None:
        """The NULL handshake, to its end."""
        self.send(GREETING)
        assert self.read_whole(64) == GREETING
        self.send(ready())
        flags, body = self.read_frame()
        assert flags == 4
        assert body.startswith(b"\x05READY")

    def read_to_the_end(self) -> None:
        """Until the client is gone."""
        with contextlib.suppress(ConnectionError):
            while self.connection.recv(65536):
                pass


class RawServer:
    """Accepts, and hands each connection, with its number from 0, to `handle` in a thread; closes it afterwards."""

    def __init__(self, handle: Callable[[Peer, int], None]) -> None:
        self._handle = handle
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(DEADLINE_S)
        self.cut()
        for thread in self._threads[1:]:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

    def cut(self) -> None:
        """Ends every connection that is open."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection, len(self.connections) - 1))
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket, number: int) -> None:
        with connection:
            self._handle(Peer(connection), number)


def proxy_to(port: int) -> RawServer:
    """A server that passes bytes on to a port of this machine and back; cut() cuts both ways at once."""

    def handle(peer: Peer, number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            back = threading.Thread(target=_pump, args=(upstream, peer.connection))
            back.start()
            _pump(peer.connection, upstream)
            back.join(DEADLINE_S)

    return RawServer(handle)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
