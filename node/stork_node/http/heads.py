"""
The head of an HTTP request: parsed once, strictly, with bounds on its bytes, its lines and the length of a line.

Twisted and autobahn get the parsed head, so they cannot understand it in another way.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote_to_bytes, urlsplit

MAX_HEAD_BYTES = 16 * 1024
MAX_LINE_BYTES = 8 * 1024
MAX_HEADERS = 100
METHODS = ("GET", "HEAD")
# A resource may accept these, with or without a body.
_OTHER_METHODS = ("DELETE", "OPTIONS", "PATCH", "POST", "PUT")

_LONG_REQUEST_LINE = f"the request line has more than {MAX_LINE_BYTES} bytes"
METHOD_REFUSED = "only GET and HEAD are answered here"

_END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_REQUEST_LINE = re.compile(rb"(%s+) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])" % _TOKEN)
_BEGINNING = re.compile(rb"\r?|%s+(?: [\x20-\x7e]*\r?)?" % _TOKEN)
_HEADER = re.compile(rb"(%s+):[\t ]*([\t\x20-\x7e\x80-\xff]*)" % _TOKEN)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.]+\])?(?::[0-9]{1,5})?")
_LENGTH = re.compile(rb"[0-9]{1,18}")


@dataclass(frozen=True)
class Refusal:
    """
    An answer that ends the connection; ``reason`` is one of ``counters.REASONS``.

    ``json`` takes the place of the text. ``headers`` are more headers of the answer.
    """

    status: int
    text: str
    reason: str = "bad_request"
    json: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True)
class Head:
    """
    ``target`` is the path with its query. ``headers`` have lower-case names, in their order.

    ``body_bytes`` is the announced length of a body; None if the body comes in chunks.
    """

    method: str
    target: bytes
    version: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body_bytes: int | None = 0

    @property
    def has_body(self) -> bool:
        return self.body_bytes != 0

    @cached_property
    def is_last(self) -> bool:
        """Whether the client wants no further answer on this connection."""
        words = {word.strip() for word in self.value(b"connection").lower().split(b",")}
        return self.version != b"HTTP/1.1" or b"close" in words

    def value(self, name: bytes) -> bytes:
        """The value of a header; several values are joined. Empty if there is none."""
        return (b"; " if name == b"cookie" else b", ").join(value for found, value in self.headers if found == name)

    def has(self, name: bytes) -> bool:
        return any(found == name for found, _ in self.headers)

    def as_bytes(self) -> bytes:
        """The request as bytes, for autobahn."""
        lines = [b"%s %s %s" % (self.method.encode(), self.target, self.version)]
        return b"\r\n".join([*lines, *(b"%s: %s" % header for header in self.headers), b"", b""])


def end_of_head(data: bytes | bytearray, known: int = 0) -> int | None:
    """
    The end of the head in these bytes; None if the head is not complete yet.

    Args:
        known: the number of first bytes that were searched already.

    Raises:
        Refused: these bytes cannot become a valid head.
    """
    end = data.find(_END, max(0, known - len(_END) + 1), MAX_HEAD_BYTES)
    if end >= 0:
        return end + len(_END)
    line, newline, _ = bytes(data[: MAX_LINE_BYTES + 4]).removeprefix(b"\r\n").partition(b"\n")
    is_request = _REQUEST_LINE.fullmatch(line.removesuffix(b"\r")) if newline else _BEGINNING.fullmatch(line)
    if not is_request or data.count(b"\n") != data.count(b"\r\n"):
        raise Refused(Refusal(400, "this is no HTTP request"))
    if len(line) > MAX_LINE_BYTES:
        raise Refused(Refusal(414, _LONG_REQUEST_LINE, "too_large"))
    if len(data) >= MAX_HEAD_BYTES:
        raise Refused(Refusal(431, f"the request head has more than {MAX_HEAD_BYTES} bytes", "too_large"))
    return None


class Refused(Exception):
    """The request is answered with ``refusal``."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


def read_head(data: bytes) -> Head:
    """
    Read a whole head, its empty line included.

    Raises:
        Refused: it is malformed, too large, of another HTTP version, or has an unknown method.
    """
    first, *lines = data.removeprefix(b"\r\n").removesuffix(_END).split(b"\r\n")
    method, target, version = _request_line(first)
    if len(lines) > MAX_HEADERS:
        raise Refused(Refusal(431, f"the request has more than {MAX_HEADERS} headers", "too_large"))
    headers = tuple(_header(line) for line in lines)
    host, body_bytes = _host(headers, version), _body(headers)
    if method not in (*METHODS, *_OTHER_METHODS) or (method == "OPTIONS" and target == b"*"):
        raise Refused(Refusal(405, METHOD_REFUSED, "method"))
    if b"#" in target:
        raise Refused(Refusal(400, "the request names no path"))
    if not target.startswith(b"/"):
        host, target = _absolute(target)
    _check_path(target.partition(b"?")[0])
    head = Head(method, target, version, _with_host(headers, host), body_bytes)
    if head.value(b"expect").lower() not in (b"", b"100-continue"):
        raise Refused(Refusal(417, "this expectation is not met"))
    return head


def _request_line(line: bytes) -> tuple[str, bytes, bytes]:
    if len(line) > MAX_LINE_BYTES:
        raise Refused(Refusal(414, _LONG_REQUEST_LINE, "too_large"))
    found = _REQUEST_LINE.fullmatch(line)
    if not found:
        raise Refused(Refusal(400, "this is no HTTP request"))
    version = b"HTTP/%s.%s" % (found[3], found[4])
    if version not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise Refused(Refusal(505, "only HTTP/1.1 and HTTP/1.0 are supported"))
    return found[1].decode(), found[2], version


def _header(line: bytes) -> tuple[bytes, bytes]:
    if len(line) > MAX_LINE_BYTES:
        raise Refused(Refusal(431, f"a header has more than {MAX_LINE_BYTES} bytes", "too_large"))
    found = _HEADER.fullmatch(line)
    if not found:
        raise Refused(Refusal(400, "a line of the request is no header"))
    return found[1].lower(), found[2].rstrip(b"\t ")


def _host(headers: tuple[tuple[bytes, bytes], ...], version: bytes) -> bytes | None:
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
        raise Refused(Refusal(400, "a request has one Host header"))
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise Refused(Refusal(400, "the Host header names no host"))
    return hosts[0] if hosts else None


def _body(headers: tuple[tuple[bytes, bytes], ...]) -> int | None:
    if any(name == b"transfer-encoding" for name, _ in headers):
        return None
    lengths = [value for name, value in headers if name == b"content-length"]
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise Refused(Refusal(400, "the Content-Length is not one number"))
    return int(lengths[0]) if lengths else 0


def _absolute(target: bytes) -> tuple[bytes, bytes]:
    """The host and the path of ``http://host/path``; this host counts more than the Host header (RFC 9112, 3.2.2)."""
    try:
        url = urlsplit(target.decode())
    except ValueError:
        raise Refused(Refusal(400, "the request names no path")) from None
    host = url.netloc.encode()
    if url.scheme not in ("http", "https") or not host or not _HOST.fullmatch(host):
        raise Refused(Refusal(400, "the request names no path"))
    path = target[len(url.scheme) + len("://") + len(host) :]
    return host, path if path.startswith(b"/") else b"/" + path


def _check_path(path: bytes) -> None:
    """Check that a path is text without control characters: Twisted logs a traceback for others."""
    try:
        text = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        text = "\0"
    if any(character < " " for character in text):
        raise Refused(Refusal(400, "the request names no path"))


def _with_host(headers: tuple[tuple[bytes, bytes], ...], host: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    if host is None or (b"host", host) in headers:
        return headers
    return ((b"host", host), *(header for header in headers if header[0] != b"host"))
