"""Peers without ZMTP 3 reach nothing on any port: old peers, web pages, and others."""

import pytest
import zmq

from stork_node.publish_server.sockets import open_sockets
from tests.components.served import peer, serving, settings
from tests.components.zmtp import GREETING, connect, frame, is_ended, join, receive
from tests.malformed import document

PUSH = document(data="from a stranger")
CLAIM = b'stork 1 replay {"epoch":"x","after":9,"run":"x","keep_s":1,"keep_bytes":1}'
ERASE = b'stork 1 erase {"topic":"v1.a.1"}'
PORTS = ["pull", "router", "pub", "replay"]
TYPES = {"pull": 8, "router": 5, "pub": 2, "replay": 5}


def old_frame(body: bytes) -> bytes:
    """A frame of ZMTP 1.0."""
    return bytes([len(body) + 1, 0]) + body


def version_2(kind: int) -> bytes:
    return b"\xff" + (1).to_bytes(8, "big") + b"\x7f\x01" + bytes([kind]) + frame(b"") + frame(PUSH) + frame(CLAIM)


def post(body: bytes) -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\nOrigin: http://evil.example\r\n\r\n"
    return head.encode() + body


def aligned_post() -> bytes:
    """A POST of a page whose body begins at the end of the frame that begins in its headers."""
    messages = b"".join(map(old_frame, (PUSH, CLAIM, ERASE)))
    length = 6000
    head = post(b"").replace(b"Length: 0", b"Length: 6000")
    at = 0
    while at < len(head):
        at += 1 + head[at]
    body = b"x" * (at - len(head)) + b"\x01\x00" + messages
    return head + body + b"\x01\x00" * ((length - len(body)) // 2)


BYTES = {
    "ZMTP 1.0 without a greeting": b"\x01\x00" + old_frame(PUSH) + old_frame(CLAIM) + old_frame(ERASE),
    "ZMTP 1.0 with a long frame": b"\xff" + bytes(7) + b"\x01\x00" + old_frame(PUSH),
    "ZMTP 1.0 with a version": b"\xff" + (1).to_bytes(8, "big") + b"\x7f\x00\x08" + old_frame(b"") + old_frame(PUSH),
    "ZMTP 2.0, PUSH": version_2(8),
    "ZMTP 2.0, DEALER": version_2(5),
    "ZMTP 2.0, SUB": version_2(2),
    "POST": post(PUSH),
    "POST aligned with frames": aligned_post(),
    "POST with a greeting in it": post(GREETING + b"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x04PUSH" + frame(PUSH)),
    "GET": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "WebSocket": b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x82\x00",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(517),
    "PHP": b'a:1:{s:6:"topics";a:0:{}}',
}


@pytest.fixture(scope="module", params=["", "geheim"], ids=["open", "secret"])
def server(request):
    with serving(settings(secret=request.param)) as running:
        yield running


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("sent", BYTES.values(), ids=BYTES.keys())
def test_what_is_not_zmtp_3_is_cut_and_changes_nothing(server, port, sent):
    before = server.position
    with connect(getattr(server, f"{port}_endpoint")) as stranger:
        stranger.sendall(sent)
        assert is_ended(stranger)
    assert server.position == before
    counters = server.counters
    assert (counters.accepted, counters.refused.total(), counters.epochs, counters.erasures) == (0, 0, 0, 0)
    assert (counters.replay_pages, counters.replay_refused) == (0, 0)


def test_peers_of_zmtp_3_0_and_of_libzmq_are_served():
    with serving() as server:
        with join(server.router_endpoint, b"DEALER") as dealer:
            dealer.sendall(frame(document()))
            head = receive(dealer, 2)
            assert b'"ok":true' in receive(dealer, head[1])
        with peer(zmq.DEALER, server.router_endpoint) as libzmq:
            libzmq.send(document())
            assert b'"ok":true' in libzmq.recv()


def test_its_ports_send_no_ping_and_have_tcp_keepalive():
    sockets = open_sockets(settings())
    try:
        for each in (sockets.pull, sockets.router, sockets.pub, sockets.replay):
            assert (each.socket.heartbeat_ivl, each.socket.tcp_keepalive) == (0, 1)
    finally:
        sockets.close()
