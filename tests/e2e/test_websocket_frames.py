"""RFC 6455 by hand: what each frame brings that a client may send before it has joined."""

import contextlib

import pytest

from tests.e2e.operator_port import samples, value
from tests.stubborn import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Stubborn, frame

HELLO = b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"]}]'
CHALLENGE = 4


def more(payload: bytes, opcode: int = CONTINUATION) -> bytes:
    """A fragment that is not the last."""
    return frame(opcode, payload, is_last=False)


def rest(payload: bytes) -> bytes:
    return frame(CONTINUATION, payload)


def with_bits(data: bytes, bits: int) -> bytes:
    return bytes([data[0] | bits]) + data[1:]


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def of_length(length: bytes, payload: bytes = b"") -> bytes:
    """A masked text frame whose length is written as ``length``."""
    return b"\x81" + length + bytes(4) + payload


ANSWERED = {
    "whole": frame(TEXT, HELLO),
    "in two": more(HELLO[:5], TEXT) + rest(HELLO[5:]),
    "byte by byte": more(HELLO[:1], TEXT) + b"".join(more(HELLO[i : i + 1]) for i in range(1, len(HELLO))) + rest(b""),
    "1,000 empty fragments": more(b"", TEXT) + more(b"") * 1000 + rest(HELLO),
    "a pong that nobody asked for": frame(PONG, b"x") + frame(TEXT, HELLO),
    "a character in two": more(HELLO[:-2] + ',"authid":"ä'.encode()[:-1], TEXT) + rest("ä".encode()[1:] + b'"}]'),
}
REFUSED = {
    "ping of 126": frame(PING, b"a" * 126),
    "pong of 126": frame(PONG, b"a" * 126),
    "close of 126": close(1000, b"a" * 124),
    "ping in fragments": more(b"a", PING),
    "pong in fragments": more(b"a", PONG),
    "close in fragments": more(b"\x03\xe8", CLOSE),
    **{f"reserved bit {bit:#x}": with_bits(frame(TEXT, HELLO), bit) for bit in (0x40, 0x20, 0x10)},
    **{f"reserved bit {bit:#x} of a ping": with_bits(frame(PING), bit) for bit in (0x40, 0x20, 0x10)},
    **{f"opcode {opcode}": frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "without a mask": b"\x81" + bytes([len(HELLO)]) + HELLO,
    "a ping without a mask": b"\x89\x00",
    "the rest of nothing": rest(b"x"),
    "text within text": more(b"[", TEXT) + frame(TEXT, HELLO),
    "binary within text": more(b"[", TEXT) + frame(BINARY, HELLO),
    "binary where JSON was agreed": frame(BINARY, HELLO),
    "no UTF-8": frame(TEXT, b"\xff\xfe"),
    "UTF-8 that is cut": frame(TEXT, b'["\xc3'),
    "UTF-8 that is wrong in its second fragment": more(b'["\xc3', TEXT) + rest(b'\x28"]'),
    "UTF-8 that is wrong before the end": more(b'["\xff', TEXT),
    "a surrogate": frame(TEXT, b'["\xed\xa0\x80"]'),
    "overlong UTF-8": frame(TEXT, b'["\xc0\x80"]'),
    "beyond U+10FFFF": frame(TEXT, b'["\xf4\x90\x80\x80"]'),
    "an empty text": frame(TEXT),
    "close of one byte": frame(CLOSE, b"\x03"),
    "close with a reason that is no UTF-8": close(1000, b"\xff"),
    **{f"close {code}": close(code) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)},
    "a length with its highest bit": of_length(b"\xff" + b"\xff" * 8),
    "a length of 5 MiB": of_length(b"\xff" + (5 << 20).to_bytes(8, "big")),
    "a length that is not the shortest in 16 bits": of_length(b"\xfe\x00\x05", b"hello"),
    "a length that is not the shortest in 64 bits": of_length(b"\xff" + (5).to_bytes(8, "big"), b"hello"),
    "5 MiB in fragments": more(b"[", TEXT) + more(b" " * (1 << 20)) * 5,
}
CLOSED = {
    "close without a code": frame(CLOSE),
    **{
        f"close {code}": close(code)
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4000, 4999)
    },
    "text after close": close(1000) + frame(TEXT, HELLO),
}


@pytest.fixture
def client(many_ways):
    with Stubborn(many_ways.nodes[0].port) as client:
        yield client


@pytest.mark.parametrize("said", ANSWERED.values(), ids=ANSWERED)
def test_a_message_is_read_however_it_is_framed(client, said):
    client.say(said)
    assert client.hear()[0] == CHALLENGE


@pytest.mark.parametrize("payload", [b"", b"abc", b"a" * 125])
@pytest.mark.parametrize("before", [b"", more(HELLO[:5], TEXT)], ids=["alone", "between fragments"])
def test_a_ping_is_answered_with_what_it_has(client, payload, before):
    client.say(before + frame(PING, payload))
    assert client.frame() == (PONG, payload)


@pytest.mark.parametrize("said", REFUSED.values(), ids=REFUSED)
def test_what_is_no_frame_ends_the_connection_unanswered(client, said):
    with contextlib.suppress(ConnectionError):  # it is cut before it has said everything
        client.say(said)
    frames = client.frames_until_the_end()
    assert [opcode for opcode, _ in frames if opcode != CLOSE] == []
    if len(said) < 200:  # of more, something may be unread, and the system resets the connection
        [(_, told)] = frames
        assert int.from_bytes(told[:2], "big") in (1002, 1007, 1009)


def test_bad_frames_are_one_line_each_and_are_counted(many_ways):
    [node] = many_ways.nodes
    before = value(samples(node), "stork_guard_messages_refused_total", case="protocol")
    log = len(node.log)
    for _ in range(3):
        with Stubborn(node.port) as client:
            client.say(frame(3, b"x"))
            client.frames_until_the_end()
    assert value(samples(node), "stork_guard_messages_refused_total", case="protocol") == before + 3
    assert "of a client: " not in node.log[log:]


@pytest.mark.parametrize("said", CLOSED.values(), ids=CLOSED)
def test_a_close_is_answered_with_a_close_and_nothing_else(client, said):
    client.say(said)
    assert [opcode for opcode, _ in client.frames_until_the_end()] == [CLOSE]
