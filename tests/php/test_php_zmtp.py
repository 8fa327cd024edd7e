"""The bytes of ZMTP 3 that the PHP client writes and reads, to the letter and against libzmq."""

from __future__ import annotations

import json
from typing import Any

import pytest
from php_process import interpreter, run_php
from raw_server import GREETING, Peer, RawServer, frame, ready
from router_double import Arrival, RouterDouble, accept

PUSH = (
    "say((new Publisher($options))->push('v1.test.1', new SimpleMessage('t', $args['data'] ?? null), ['id' => 'i']));"
)
ANSWER = b'{"ok": true, "id": "i", "position": "epoch:1"}'


def push(endpoint: str, **more: Any) -> Any:
    """The position of one push over the stream transport."""
    return run_php(PUSH, {"options": {"endpoint": endpoint, "transport": "stream", "timeout_ms": 20_000}, **more}).only


def test_the_handshake_is_that_of_a_zmtp_3_1_dealer() -> None:
    seen: list[Any] = []

    def handle(peer: Peer, number: int) -> None:
        # libzmq sends the rest of its greeting when it has seen so much of the client's.
        start = peer.read(12)
        peer.send(GREETING)
        seen.append(start + peer.read(52))
        peer.send(ready())
        seen.append(peer.read_frame())
        seen.append(peer.read_frame())
        peer.send(frame(ANSWER))
        peer.read_to_the_end()

    with RawServer(handle) as server:
        assert push(server.endpoint) == "epoch:1"
    greeting, ready_command, (flags, document) = seen
    assert greeting == b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(16) + b"\0" + bytes(31)
    assert ready_command == (4, b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00")
    assert flags == 0
    assert json.loads(document) == {"topics": ["v1.test.1"], "type": "t", "data": None, "id": "i"}


def test_a_peer_of_zmtp_3_0_will_do() -> None:
    def handle(peer: Peer, number: int) -> None:
        peer.send(GREETING[:11] + b"\0" + GREETING[12:] + ready())
        peer.read(64)
        peer.read_frame()
        peer.read_frame()
        peer.send(frame(ANSWER))
        peer.read_to_the_end()

    with RawServer(handle) as server:
        assert push(server.endpoint) == "epoch:1"


def test_everything_may_come_one_byte_at_a_time() -> None:
    def handle(peer: Peer, number: int) -> None:
        for byte in GREETING + ready():
            peer.send(bytes([byte]))
        peer.read(64)
        peer.read_frame()
        peer.read_frame()
        for byte in frame(b"\x04PING\x00\x00hi", 4) + frame(ANSWER, 2 if len(ANSWER) > 255 else 0):
            peer.send(bytes([byte]))
        assert peer.read_frame() == (4, b"\x04PONGhi")
        peer.read_to_the_end()

    with RawServer(handle) as server:
        assert push(server.endpoint) == "epoch:1"


@pytest.mark.parametrize("size", [255, 256])
def test_a_body_of_more_than_255_bytes_makes_a_long_frame(size: int) -> None:
    headers: list[bytes] = []
    bare = len(b'{"topics":["v1.test.1"],"type":"t","data":"","id":"i"}')

    def handle(peer: Peer, number: int) -> None:
        peer.greet()
        headers.append(peer.read(2 if size < 256 else 9))
        peer.read(size)
        peer.send(frame(ANSWER))
        peer.read_to_the_end()

    with RawServer(handle) as server:
        assert push(server.endpoint, data="x" * (size - bare)) == "epoch:1"
    assert headers == [b"\0\xff" if size < 256 else b"\x02" + (256).to_bytes(8)]


def test_a_long_answer_is_read_and_the_ones_behind_it() -> None:
    other = json.dumps({"ok": True, "id": "x" * 300, "position": "epoch:7"}).encode()

    def handle(peer: Peer, number: int) -> None:
        peer.greet()
        peer.read_frame()
        peer.send(frame(other) + frame(ANSWER))
        peer.read_to_the_end()

    with RawServer(handle) as server:
        assert push(server.endpoint) == "epoch:1"


@pytest.mark.parametrize("context", [b"", b"hi", b"0123456789abcdef"])
def test_a_ping_is_answered_while_waiting_with_its_context(context: bytes) -> None:
    def handle(peer: Peer, number: int) -> None:
        peer.greet()
        peer.read_frame()
        peer.send(frame(b"\x04PING\x00\x32" + context, 4))
        # No answer before the PONG: a client that keeps it back would wait for ever.
        assert peer.read_frame() == (4, b"\x04PONG" + context)
        peer.send(frame(b"\x05WHAT?", 4))
        peer.send(frame(ANSWER))
        peer.read_to_the_end()

    with RawServer(handle) as server:
        assert push(server.endpoint) == "epoch:1"
        assert len(server.connections) == 1


@pytest.mark.parametrize("secret", [None, "correct horse"])
def test_libzmq_keeps_a_client_that_waits_for_longer_than_its_heartbeat(transport: str, secret: str | None) -> None:
    lost: list[bool] = []

    def answer_after_many_heartbeats(server: RouterDouble, arrival: Arrival) -> None:
        lost.append(server.loses_a_peer_within(700))
        accept(server, arrival)

    with RouterDouble(answer_after_many_heartbeats, heartbeat_ms=100, secret=secret) as server:
        options = {"endpoint": server.endpoint, "transport": transport, "timeout_ms": 30_000, "secret": secret}
        assert run_php(PUSH, {"options": options}, command=interpreter(transport)).only == "epoch:1"
    assert lost == [False]


def test_pings_that_came_between_pushes_are_answered_with_the_next() -> None:
    code = """
    $publisher = new Publisher($options);
    $first = $publisher->push('v1.test.1', new SimpleMessage('t'), ['id' => 'i']);
    say([$first, $publisher->push('v1.test.1', new SimpleMessage('t'), ['id' => 'i'])]);
    """
    frames: list[tuple[int, bytes]] = []

    def handle(peer: Peer, number: int) -> None:
        peer.greet()
        peer.read_frame()
        peer.send(frame(ANSWER) + frame(b"\x04PING\x00\x00", 4))
        frames.extend([peer.read_frame(), peer.read_frame()])
        peer.send(frame(ANSWER))
        peer.read_to_the_end()

    with RawServer(handle) as server:
        options = {"endpoint": server.endpoint, "transport": "stream", "timeout_ms": 20_000}
        assert run_php(code, {"options": options}).only == ["epoch:1", "epoch:1"]
    assert sorted(flags for flags, _ in frames) == [0, 4]
