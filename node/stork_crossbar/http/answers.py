"""Answers as bytes: short refusals, and the heads of the answers of Twisted's requests."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from stork_node.http.heads import METHODS, Refusal

_RETRY_AFTER_S = 5
_NOT_SENT = (b"server", b"connection")


def refusal_bytes(refusal: Refusal) -> bytes:
    """An answer of one line of text, or of JSON, after which the connection ends."""
    if refusal.json:
        return answer_bytes(refusal.status, refusal.json, refusal.headers, is_last=True)
    body = refusal.text.encode() + b"\n"
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    lines += [f"Allow: {', '.join(METHODS)}"] if refusal.status == 405 else []
    lines += [f"Retry-After: {_RETRY_AFTER_S}"] if refusal.status == 503 else []
    return "\r\n".join([*lines, "", ""]).encode() + body


_BEGINNINGS = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
    "Cache-Control: no-store\r\nContent-Length: ".encode()
    for status in HTTPStatus
}


def answer_bytes(
    status: int,
    body: bytes,
    headers: Iterable[tuple[bytes, bytes]] = (),
    *,
    is_last: bool = False,
    has_body: bool = True,
) -> bytes:
    """
    An answer of JSON.

    Args:
        is_last: the connection ends after it.
        has_body: False for the answer to HEAD.
    """
    more = b"".join([b"%b: %b\r\n" % header for header in headers]) if headers else b""
    if is_last:
        more += b"Connection: close\r\n"
    return b"%b%d\r\n%b\r\n%b" % (_BEGINNINGS[status], len(body), more, body if has_body else b"")


def head_bytes(version: bytes, code: bytes, reason: bytes, headers: Any, *, is_last: bool) -> bytes:
    """
    Args:
        headers: Twisted's headers; the server's name is left out.
        is_last: no further request is answered on this connection.
    """
    lines = [version + b" " + code + b" " + reason]
    for name, values in headers.getAllRawHeaders():
        if name.lower() not in _NOT_SENT:
            lines += [name + b": " + value for value in values]
    if is_last:
        lines.append(b"Connection: close")
    return b"\r\n".join([*lines, b"", b""])
