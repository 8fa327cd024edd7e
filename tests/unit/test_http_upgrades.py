"""Requests for a WebSocket that are read here, and those that are left to a reader of every rule."""

import pytest

from stork_node.http.upgrades import read_upgrade

# The request and the answer of RFC 6455, 1.3.
USUAL = (
    b"GET /chat?a=b HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate"
)


def test_a_usual_request_is_accepted():
    upgrade = read_upgrade(USUAL)
    assert upgrade is not None
    assert upgrade.target == "/chat?a=b"
    head, _, rest = upgrade.answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 101 Switching Protocols"
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"Extensions" not in head
    assert rest == b""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET ", b"POST "),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"/chat", b"chat"),
        (b"/chat", b"/ch at"),
        (b"/chat", "/ché".encode()),
        (b"websocket\r\n", b"h2c\r\n"),
        (b"Upgrade\r\n", b"close\r\n"),
        (b"13", b"8"),
        (b"dGhl", b"dGh"),
        (b"Host: server.example.com\r\n", b""),
        (b"server.example.com", b""),
        (b"Origin: ", b"Host: "),
        (b"Origin: ", b"Origin : "),
        (b"Origin: http://example.com", b"Origin"),
        (b"Origin: http", b" folded: http"),
    ],
)
def test_all_others_are_left_to_the_full_reader(old, new):
    assert USUAL.count(old) == 1
    assert read_upgrade(USUAL.replace(old, new)) is None


@pytest.mark.parametrize("head", [b"", b"\r\n", b"GET / HTTP/1.1", b"\xff" * 50])
def test_what_is_no_request_is_left_as_well(head):
    assert read_upgrade(head) is None
