"""Peers of ZMTP by hand: what libzmq would never send."""

import socket
import struct
from urllib.parse import urlsplit

from tests.components.served import DEADLINE_S

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\0" + b"NULL".ljust(20, b"\0") + bytes(32)


def connect(endpoint: str, receive_buffer: int = 0) -> socket.socket:
    """A TCP connection to ``endpoint``, with a deadline."""
    address = urlsplit(endpoint)
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(DEADLINE_S)
    connection.connect((address.hostname, address.port))
    return connection


def join(endpoint: str, kind: bytes, receive_buffer: int = 0) -> socket.socket:
    """A peer of ZMTP 3.0 with NULL whose handshake is done."""
    return _shake_hands(connect(endpoint, receive_buffer), kind)


def accept(listener: socket.socket, kind: bytes) -> socket.socket:
    """The other end: the next peer that connects, once its handshake is done."""
    listener.settimeout(DEADLINE_S)
    connection, _ = listener.accept()
    connection.settimeout(DEADLINE_S)
    return _shake_hands(connection, kind)


def _shake_hands(connection: socket.socket, kind: bytes) -> socket.socket:
    connection.sendall(GREETING)
    receive(connection, 64)
    ready = b"\x05READY\x0bSocket-Type" + struct.pack("!I", len(kind)) + kind
    connection.sendall(b"\x04" + bytes([len(ready)]) + ready)
    head = receive(connection, 2)
    receive(connection, head[1])
    return connection


def receive(connection: socket.socket, number: int) -> bytes:
    """So many bytes."""
    got = b""
    while len(got) < number:
        more = connection.recv(number - len(got))
        assert more, "the connection has ended"
        got += more
    return got


def frame(body: bytes, more: bool = False) -> bytes:
    """A frame of ZMTP 2.0 and later."""
    if len(body) < 256:
        return bytes([more, len(body)]) + body
    return bytes([2 | more]) + struct.pack("!Q", len(body)) + body


def is_ended(connection: socket.socket) -> bool:
    """Whether the other side ends it; fails if it does not before the deadline."""
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionError:
        return True
    return True
