"""A WebSocket client that says what it is told, right or wrong; by itself it answers no ping and no close frame."""

import json
import socket
from typing import Any

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

_REQUEST = """GET /ws HTTP/1.1
Host: {host}
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==
Sec-WebSocket-Version: 13
Sec-WebSocket-Protocol: wamp.2.json

"""


def frame(opcode: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    """One frame, masked with zeros."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2, "big") if size < 65536 else b"\xff" + size.to_bytes(8, "big")
    return bytes([0x80 * is_last | opcode]) + length + bytes(4) + payload


def message(*values: Any) -> bytes:
    """One WAMP message in its frame."""
    return frame(TEXT, json.dumps(values).encode())


class Stubborn:
    """
    Args:
        receive_bytes: how much the system may keep for it unread; as much as it likes, where none is said.
    """

    def __init__(self, port: int, *, receive_bytes: int = 0, timeout_s: float = 20.0) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self._unread = b""
        self.say(_REQUEST.replace("\n", "\r\n").format(host=f"127.0.0.1:{port}").encode())
        while b"\r\n\r\n" not in self._unread:
            self._unread += self.socket.recv(1)
        self._unread = b""

    def __enter__(self) -> "Stubborn":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def join(self, ticket: str) -> list[Any]:
        """Returns WELCOME, or ABORT."""
        self.say(message(1, "realm1", {"roles": {"subscriber": {}, "caller": {}}, "authmethods": ["ticket"]}))
        self.hear()
        self.say(message(5, ticket, {}))
        return self.hear()

    def hear(self) -> list[Any]:
        """The next WAMP message."""
        opcode, payload = self.frame()
        assert opcode == TEXT, (opcode, payload)
        heard: list[Any] = json.loads(payload)
        return heard

    def frame(self) -> tuple[int, bytes]:
        """
        The next frame.

        Raises:
            EOFError: the connection is closed, or reset.
        """
        opcode, size = self._take(2)
        if size >= 126:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        return opcode & 15, self._take(size)

    def frames_until_the_end(self) -> list[tuple[int, bytes]]:
        """All that still comes; fails where the connection stays open and silent."""
        frames = []
        while True:
            try:
                frames.append(self.frame())
            except EOFError:
                return frames

    def _take(self, size: int) -> bytes:
        while len(self._unread) < size:
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionError:
                more = b""
            if not more:
                raise EOFError
            self._unread += more
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken
