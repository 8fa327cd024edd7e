"""RawSockets on TCP, the universal transport and TLS: what strangers and visitors do there, and what others notice."""

import contextlib
import json
import re
import ssl
import threading
import time

import pytest

from tests.e2e.broadcasting import Ports
from tests.e2e.http_client import UPGRADE, connect, read_to_the_end, request, status, talk
from tests.e2e.operator_port import samples, value
from tests.gateway import TICKET, Deployment, wait_for
from tests.wamp import EVENT

HANDSHAKE = b"\x7f\xf1\0\0"
HELLO = [1, "realm1", {"roles": {"caller": {}, "subscriber": {}}, "authmethods": ["ticket"]}]
TOPIC = "v1.test.1"


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    ports = Ports(folder)
    with Deployment(folder, change=ports.add) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield deployment, ports.ports
        log = deployment.nodes[0].log
        assert "Traceback" not in log
        assert len(log.splitlines()) < 100


@pytest.fixture
def node(setup):
    return setup[0].nodes[0]


@pytest.fixture
def raw(setup):
    return setup[1]["rawsocket"]


def frame(*message):
    data = json.dumps(message).encode()
    return len(data).to_bytes(4, "big") + data


def hear(client):
    def read(size):
        data = b""
        while len(data) < size:
            more = client.recv(size - len(data))
            assert more, "the connection is closed"
            data += more
        return data

    return json.loads(read(int.from_bytes(read(4), "big")))


@contextlib.contextmanager
def joined(port, handshake=HANDSHAKE, **options):
    with connect(port, **options) as client:
        client.sendall(handshake)
        assert client.recv(4)[:1] == b"\x7f"
        client.sendall(frame(*HELLO))
        assert hear(client)[0] == 4
        client.sendall(frame(5, TICKET, {}))
        assert hear(client)[0] == 2
        yield client


def is_served(node):
    with node.join() as client:
        client.subscribe(TOPIC)
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x7f\xf0\0\0",
        b"\x7f\xff\0\0",
        b"\x7e\xf1\0\0" + bytes(1000),
        HANDSHAKE + b"\xff\xff\xff\xff",
        HANDSHAKE + b"\x01\0\0\0",
        HANDSHAKE + (100_000).to_bytes(4, "big") + b"a" * 1000,
        HANDSHAKE + frame(48, 1, {}, "test.none"),
        HANDSHAKE + frame(32, 1, {}, TOPIC),
        HANDSHAKE + frame(5, TICKET, {}),
        HANDSHAKE + frame(*HELLO) + frame(*HELLO),
        HANDSHAKE + frame(*HELLO) + frame(48, 1, {}, "test.none"),
        HANDSHAKE + b"\0\0\0\0",
        HANDSHAKE + b"\0\0\0\x02[[",
        HANDSHAKE + frame() * 10_000,
    ],
)
def test_a_rawsocket_that_says_what_it_may_not_is_ended(node, raw, said):
    for _ in range(3):
        with connect(raw) as client:
            with contextlib.suppress(ConnectionError):
                client.sendall(said)
            read_to_the_end(client)
    assert is_served(node)


def test_a_rawsocket_with_pieces_anywhere_is_read(raw):
    with connect(raw) as client:
        for byte in HANDSHAKE + frame(*HELLO):
            client.sendall(bytes([byte]))
        assert client.recv(4)[:1] == b"\x7f"
        assert hear(client)[0] == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rawsocket", b""),
        ("rawsocket", HANDSHAKE[:3]),
        ("rawsocket", HANDSHAKE),
        ("rawsocket", HANDSHAKE + frame(*HELLO)),
        ("universal", b""),
        ("universal", b"GET /ws"),
        ("universal", b"\x7f"),
        ("websocket", b""),
        ("tls", b""),
        ("tls", b"\x16\x03\x01\x02\x00"),
    ],
)
def test_a_client_that_goes_no_further_is_ended(said_nothing_more, name, said):
    assert said_nothing_more[name, said] < 35


@pytest.fixture(scope="module")
def said_nothing_more(setup, request):
    """For how many seconds each was kept; they wait at the same time."""
    cases = [
        mark
        for mark in request.module.test_a_client_that_goes_no_further_is_ended.pytestmark
        if mark.args[0] == ("name", "said")
    ]
    kept = {}

    def wait(name, said):
        with connect(setup[1][name], timeout_s=60) as client:
            client.sendall(said)
            began = time.monotonic()
            with contextlib.suppress(TimeoutError):
                read_to_the_end(client)
            kept[name, said] = time.monotonic() - began

    threads = [threading.Thread(target=wait, args=case) for case in cases[0].args[1]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return kept


def test_a_client_that_takes_small_messages_only_is_closed_others_are_not(setup, node, raw):
    with joined(raw) as large, joined(raw, b"\x7f\x11\0\0") as small, setup[0].publisher() as publisher:
        for client in (small, large):
            client.sendall(frame(32, 1, {}, TOPIC))
            assert hear(client)[0] == 33
        publisher.push(TOPIC, type="t", data="x" * 5000)
        assert hear(large)[0] == EVENT
        assert read_to_the_end(small) == b""
    assert is_served(node)


def test_a_welcome_that_is_larger_than_a_client_takes_ends_it(node, raw):
    with connect(raw) as client:
        client.sendall(b"\x7f\x01\0\0" + frame(*HELLO))
        client.recv(4)
        hear(client)
        client.sendall(frame(5, TICKET, {}))
        answer = read_to_the_end(client)
        assert len(answer) < 520
    assert is_served(node)


@pytest.mark.parametrize("said", [frame(48, 1, {}, "test.none"), frame(34, 1, 1)])
def test_a_flood_that_is_not_read_is_not_answered_without_end(node, raw, said):
    before = limited(node)
    with joined(raw, receive_buffer=4096, timeout_s=1) as client:
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 100_000_000:
                sent += client.send(said * 1000)
        assert sent < 100_000_000
        assert is_served(node)
        wait_for(lambda: limited(node) > before, "a client that is not read")


def limited(node):
    return value(samples(node), "stork_limited_total", limit="waiting_bytes")


def test_a_request_line_in_pieces_reaches_the_universal_transport(setup):
    with connect(setup[1]["universal"]) as client:
        for piece in (b"G", b"ET /w", request(*UPGRADE, line="s HTTP/1.1")):
            client.sendall(piece)
            time.sleep(0.05)  # each in a segment of its own
        assert client.recv(65536).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    "said", [b"GET /\xff HTTP/1.1\r\n\r\n", b"GET\r\n", b"\x10\x00", b"a" * 20_000, request(line="BREW /ws HTTP/1.1")]
)
def test_what_is_no_request_is_refused_by_the_universal_transport(setup, said):
    answer = talk(setup[1]["universal"], said)
    assert status(answer) in (400, 405, 414)
    assert re.search(rb"\r\n\r\n[ -~]+\n$", answer)


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\xff\xff" + bytes(70_000),
        b"\x15\x03\x01\0\x02\x02\x28",
        b"\x17\x03\x03\0\x01a" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x2e\x01\x00\x02",
    ],
)
def test_what_is_no_tls_is_ended_at_once(node, setup, said):
    with connect(setup[1]["tls"]) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(said)
        began = time.monotonic()
        read_to_the_end(client)
        assert time.monotonic() - began < 25
    assert is_served(node)


def test_tls_1_2_which_has_renegotiation_is_not_spoken(setup):
    context = ssl._create_unverified_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(setup[1]["tls"]) as client, pytest.raises(ssl.SSLError):
        context.wrap_socket(client)


def test_many_who_begin_tls_and_go_on_hold_nobody_up(node, setup):
    """Each costs the node a key exchange, one after the other."""
    hello = client_hello()
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(setup[1]["tls"])).sendall(hello)
        with node.join() as client, setup[0].publisher() as publisher:
            client.subscribe(TOPIC)
            publisher.push(TOPIC, type="t", data=1)
            assert client.receive()[0] == EVENT
    wait_for(lambda: is_served(node), "a node that serves")


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl._create_unverified_context().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()
