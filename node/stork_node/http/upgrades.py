"""Reads the usual requests for a WebSocket quickly. All others are for a reader that knows every rule."""

import base64
import hashlib
import re
from dataclasses import dataclass

_REQUEST = re.compile(rb"GET (/[\x21-\x7e]*) HTTP/1\.1")
_NAME = re.compile(rb"[A-Za-z0-9-]+")
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_READ = frozenset([b"host", b"upgrade", b"connection", b"sec-websocket-key", b"sec-websocket-version"])


@dataclass(frozen=True, slots=True)
class Upgrade:
    """
    A usual request for a WebSocket of version 13.

    Attributes:
        target: path and query.
        answer: the whole answer that accepts it, without a subprotocol and extensions.
    """

    target: str
    answer: bytes


def read_upgrade(head: bytes) -> Upgrade | None:
    """
    Args:
        head: without the empty line at its end.

    Returns:
        None for what is not as every browser sends it.
    """
    first, *lines = head.split(b"\r\n")
    request = _REQUEST.fullmatch(first)
    if request is None:
        return None
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            return None
        name = name.lower()
        if name in _READ:
            if name in found:
                return None
            found[name] = value.strip()
    key = found.get(b"sec-websocket-key", b"")
    tokens = [token.strip() for token in found.get(b"connection", b"").lower().split(b",")]
    if (
        not found.get(b"host")
        or found.get(b"upgrade", b"").lower() != b"websocket"
        or b"upgrade" not in tokens
        or found.get(b"sec-websocket-version") != b"13"
        or not _KEY.fullmatch(key)
    ):
        return None
    return Upgrade(request[1].decode(), _answer(key))


def _answer(key: bytes) -> bytes:
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )
