"""HTTP by hand, right or wrong: what is sent, and what comes back until the other side has said all."""

import contextlib
import socket
import ssl

LOOPBACK = "127.0.0.1"


def connect(
    port: int, *, tls: bool = False, receive_buffer: int | None = None, timeout_s: float = 30.0
) -> socket.socket:
    plain = socket.socket()
    if receive_buffer is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    plain.settimeout(timeout_s)
    plain.connect((LOOPBACK, port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ssl._create_unverified_context().wrap_socket(plain) if tls else plain


def read_to_the_end(client: socket.socket) -> bytes:
    """Until the other side closes, which it must."""
    answer = bytearray()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while more := client.recv(65536):
            answer += more
    return bytes(answer)


def talk(port: int, data: bytes, *, tls: bool = False, ends: bool = False) -> bytes:
    """The answer to ``data``, up to the end of the connection; ``ends``: this side says that it sends no more."""
    with connect(port, tls=tls) as client:
        client.sendall(data)
        if ends:
            client.shutdown(socket.SHUT_WR)
        return read_to_the_end(client)


def request(*headers: str, line: str = "GET / HTTP/1.1", host: str = "localhost") -> bytes:
    return "".join(f"{each}\r\n" for each in (line, f"Host: {host}", *headers, "")).encode("latin-1")


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: wamp.2.json",
)


def status(answer: bytes) -> int:
    """The status of an answer; 0 if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0
