"""HTTP of every kind, on the page's port, plain and by TLS, and on the operator's."""

import contextlib
import re
import socket
import time

import pytest

from tests.e2e.broadcasting import Ports
from tests.e2e.http_client import UPGRADE, connect, read_to_the_end, request, status, talk
from tests.e2e.operator_port import samples, value
from tests.gateway import Deployment, wait_for

CLIENT_TIMEOUT_S = 2
LARGE = 64 * 1024 * 1024


class Setup:
    """A node whose time for a request is short, with a large file beside its page."""

    def __init__(self, deployment, ports):
        ports_of_tls = ports

        def change(config):
            config["workers"][0]["transports"][0]["options"]["client_timeout"] = CLIENT_TIMEOUT_S
            ports_of_tls.add(config)
            for transport in config["workers"][0]["transports"]:
                if transport["id"] == "tls":
                    transport["options"] = {"client_timeout": CLIENT_TIMEOUT_S}

        deployment._change = change
        deployment.start_publish_server()
        self.node = deployment.start_node()
        with (self.node.folder / "web" / "large.bin").open("wb") as file:
            file.truncate(LARGE)
        operator = int(self.node.operator_url.rstrip("/").rpartition(":")[2])
        self.ports = {
            "public": (self.node.port, False),
            "tls": (ports.ports["tls"], True),
            "operator": (operator, False),
        }

    def talk(self, name, data, **options):
        port, tls = self.ports[name]
        return talk(port, data, tls=tls, **options)

    def refused(self, reason):
        return value(samples(self.node), "stork_http_refused_total", reason=reason)


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    with Deployment(folder) as deployment:
        yield Setup(deployment, Ports(folder))


EVERYWHERE = pytest.mark.parametrize("name", ["public", "tls", "operator"])
PATHS = {"public": "/stork.js", "tls": "/stork.js", "operator": "/metrics"}


@EVERYWHERE
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (request("Content-Length: 5", line="POST / HTTP/1.1") + b"hello", 405),
        (request("Content-Length: 1000000000", line="POST /ws HTTP/1.1"), 405),
        (request("Transfer-Encoding: chunked", line="PUT / HTTP/1.1"), 405),
        (request(line="DELETE / HTTP/1.1"), 405),
        (request(line="OPTIONS / HTTP/1.1"), 405),
        (request(line="OPTIONS * HTTP/1.1"), 405),
        (request(line="TRACE / HTTP/1.1"), 405),
        (request(line="CONNECT localhost:80 HTTP/1.1"), 405),
        (request(line="BREW / HTTP/1.1"), 405),
        (request("Content-Length: 5"), 413),
        (request("Content-Length: 1000000000000"), 413),
        (request("Transfer-Encoding: chunked"), 413),
        (request("Content-Length: 5", "Expect: 100-continue"), 413),
        (request("Expect: a miracle"), 417),
        (request("Content-Length: x"), 400),
        (request("a: b", "no colon"), 400),
        (request("a: b", " folded"), 400),
        (request("Host: second"), 400),
        (request(line="GET /%00 HTTP/1.1"), 400),
        (request(line="GET /%ff HTTP/1.1"), 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
        (b"GET /\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"\x00" * 100_000, 400),
        (b"GET /" + b"a" * 10_000, 414),
        (request("a: " + "b" * 10_000), 431),
        (request(*["a: b"] * 101), 431),
        (request(*["a: " + "b" * 5000] * 4), 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (request(line="GET / HTTP/3.0"), 505),
    ],
)
def test_what_is_not_wanted_is_refused_shortly_and_ended(setup, name, data, expected):
    answer = setup.talk(name, data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status(answer) == expected
    assert b"Connection: close" in head
    assert (b"Allow: GET, HEAD" in head) is (expected == 405)
    assert re.fullmatch(rb"[ -~]{1,100}\n", body)


@EVERYWHERE
@pytest.mark.parametrize(
    "path", ["/nothing", "/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/fonts/", "/a" * 2000]
)
def test_nothing_is_told_of_versions(setup, name, path):
    for answer in (
        setup.talk(name, request("Connection: close", line=f"GET {path} HTTP/1.1")),
        setup.talk(name, request("Connection: close", line=f"GET {PATHS[name]} HTTP/1.1")).partition(b"\r\n\r\n")[0],
    ):
        assert not re.search(rb"(?i)^server:", answer, re.MULTILINE)
        assert not re.search(rb"(?i)twisted|crossbar|python|autobahn/", answer)
    assert status(setup.talk(name, request("Connection: close", line=f"GET {path} HTTP/1.1"))) == 404


@EVERYWHERE
def test_what_is_wanted_is_answered(setup, name):
    path = PATHS[name]
    for data in (
        request("Connection: close", line=f"GET {path} HTTP/1.1"),
        request("Connection: close", "Content-Length: 0", line=f"GET {path}?a=b HTTP/1.1"),
        request("Connection: close", "Expect: 100-continue", line=f"GET {path} HTTP/1.1"),
        request(line=f"GET {path} HTTP/1.0"),
        f"GET {path} HTTP/1.0\r\n\r\n".encode(),
        request("Connection: close", line=f"GET http://localhost{path} HTTP/1.1", host="ignored"),
        b"\r\n" + request("Connection: close", line=f"GET {path} HTTP/1.1"),
    ):
        answer = setup.talk(name, data)
        assert status(answer) == 200
        assert len(answer) > 5000
    answer = setup.talk(name, request("Connection: close", line=f"HEAD {path} HTTP/1.1"))
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("name", ["public", "operator"])
def test_a_client_that_ends_its_side_gets_its_answer(setup, name):
    answer = setup.talk(name, request(line=f"GET {PATHS[name]} HTTP/1.1"), ends=True)
    assert status(answer) == 200
    assert setup.talk(name, request(line=f"GET {PATHS[name]} HTTP/1.1")[:-4], ends=True) == b""


@EVERYWHERE
def test_requests_at_once_are_answered_in_their_order(setup, name):
    one = request(line=f"GET {PATHS[name]} HTTP/1.1")
    answer = setup.talk(name, one * 20 + request("Connection: close", line="GET /nothing HTTP/1.1") + one)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200"] * 20 + [b"404"]


@EVERYWHERE
def test_requests_with_pieces_anywhere_are_answered(setup, name):
    data = request(line="GET /nothing HTTP/1.1") + request("Connection: close", line="GET /nothing HTTP/1.1")
    port, tls = setup.ports[name]
    with connect(port, tls=tls) as client:
        for at in range(0, len(data), 7):
            client.sendall(data[at : at + 7])
        assert read_to_the_end(client).count(b"HTTP/1.1 404") == 2


@pytest.mark.parametrize("name", ["public", "tls"])
@pytest.mark.parametrize("begun", [b"", b"\r\n", b"GET /ws HTTP/1.1\r\nHost: x\r\na: ", b"GET /"])
def test_trickled_bytes_do_not_extend_the_time_of_a_request(setup, name, begun):
    port, tls = setup.ports[name]
    sent = 0
    with connect(port, tls=tls, timeout_s=0.2) as client:
        client.sendall(begun)
        give_up_at = time.monotonic() + 30
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < give_up_at:
                with contextlib.suppress(TimeoutError):
                    if client.recv(100) == b"":
                        break
                if begun:
                    client.sendall(b"b")
                    sent += 1
        assert sent < 100  # 5 a second
        assert time.monotonic() < give_up_at


def test_a_tls_handshake_that_does_not_end_is_ended(setup):
    port, _ = setup.ports["tls"]
    with connect(port) as client:
        client.sendall(b"\x16\x03\x01")
        assert read_to_the_end(client) == b""


@pytest.mark.parametrize("name", ["public", "tls"])
def test_a_connection_between_two_requests_has_as_long(setup, name):
    port, tls = setup.ports[name]
    with connect(port, tls=tls) as client:
        client.sendall(request(line="GET /nothing HTTP/1.1"))
        assert read_to_the_end(client).count(b"HTTP/1.1 404") == 1


def test_a_reader_that_does_not_go_on_is_cut(setup):
    before = setup.refused("slow_reader")
    with connect(setup.node.port, receive_buffer=4096) as client:
        client.sendall(request(line="GET /large.bin HTTP/1.1"))
        wait_for(lambda: setup.refused("slow_reader") == before + 1, "a reader that is cut")
        assert len(read_to_the_end(client)) < LARGE


def test_answers_that_nobody_reads_do_not_pile_up(setup):
    before = setup.refused("slow_reader")
    with connect(setup.node.port, receive_buffer=4096, timeout_s=1) as client:
        one = request("Range: bytes=0-60000", line="GET /large.bin HTTP/1.1")
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionError):
            while sent < 10_000_000:
                sent += client.send(one * 100)
        assert sent < 10_000_000
        wait_for(lambda: setup.refused("slow_reader") == before + 1, "a reader that is cut")


def test_a_large_file_is_sent_whole_to_a_reader_that_goes_on(setup):
    answer = setup.talk("tls", request("Connection: close", line="GET /large.bin HTTP/1.1"))
    assert len(answer.partition(b"\r\n\r\n")[2]) == LARGE


def test_one_range_is_answered_and_many_are_ignored(setup):
    one = setup.talk("public", request("Connection: close", "Range: bytes=1-9", line="GET /stork.js HTTP/1.1"))
    assert (status(one), len(one.partition(b"\r\n\r\n")[2])) == (206, 9)
    whole = len(setup.talk("public", request("Connection: close", line="GET /stork.js HTTP/1.1")))
    many = "Range: bytes=" + ",".join(["0-"] * 1000)
    answer = setup.talk("public", request("Connection: close", many, line="GET /stork.js HTTP/1.1"))
    assert (status(answer), len(answer)) == (200, whole)


@pytest.mark.parametrize(
    "odd",
    [
        *("If-Modified-Since: ;", "If-Modified-Since: x, 99 Foo 2026 99:99:99 GMT", "If-Modified-Since: \xff"),
        *("Range: \xff", "Range: bytes=", "Range: bytes=-99999999999999999999", "Range: bytes=99999999999999999999-"),
        *("Range: bytes=9-1", "Range: bytes=a-b", "Range: lines=1-2", "Range: bytes=-", "If-Range: ;"),
    ],
)
def test_an_odd_header_brings_the_whole_file_and_no_line_in_the_log(setup, odd):
    answer = setup.talk("public", request("Connection: close", odd, line="GET /stork.js HTTP/1.1"))
    assert status(answer) in (200, 416)
    assert "Traceback" not in setup.node.log


def test_a_body_that_is_being_sent_is_refused_at_its_headers(setup):
    with connect(setup.node.port) as client:
        client.sendall(request("Content-Length: 100000000", line="POST / HTTP/1.1"))
        client.sendall(b"a" * 1_000_000)
        assert status(read_to_the_end(client)) == 405


@pytest.mark.parametrize("name", ["public", "tls"])
def test_every_way_to_a_websocket_is_the_same(setup, name):
    for line in ("GET /ws HTTP/1.1", "GET /ws?a=b HTTP/1.1", "GET /w%73 HTTP/1.1", "GET http://localhost/ws HTTP/1.1"):
        port, tls = setup.ports[name]
        with connect(port, tls=tls) as client:
            client.sendall(request(*UPGRADE, line=line))
            assert client.recv(65536).startswith(b"HTTP/1.1 101 ")
    for line, expected in (("GET /ws HTTP/1.0", 505), ("HEAD /ws HTTP/1.1", 405), ("POST /ws HTTP/1.1", 405)):
        assert status(setup.talk(name, request(*UPGRADE, line=line))) == expected
    for wrong in ("Upgrade: h2c", "Sec-WebSocket-Key: short", "Sec-WebSocket-Version: 7"):
        headers = [header for header in UPGRADE if header.partition(":")[0] != wrong.partition(":")[0]]
        answer = setup.talk(name, request(*headers, wrong, line="GET /ws HTTP/1.1"))
        assert status(answer) == 400
        assert b"Content-Length" in answer


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8081", "127.0.0.1", "[::1]:1", "10.0.0.7:8081", socket.gethostname()]
)
def test_the_operators_port_answers_to_hosts_that_it_knows(setup, host):
    assert status(setup.talk("operator", request("Connection: close", line="GET /health HTTP/1.1", host=host))) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8081", "localhost.evil.example", "", "127.0.0.1.evil.example"]
)
def test_the_operators_port_answers_to_no_other(setup, host):
    for path in ("health", "ready", "metrics", "nothing"):
        answer = setup.talk("operator", request(line=f"GET /{path} HTTP/1.1", host=host))
        assert status(answer) == 421
        assert b"STORK_OPERATOR_HOSTS names others" in answer


@pytest.mark.parametrize(
    "headers",
    [
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: same-site",),
        ("Sec-Fetch-Site: Cross-Site",),
        ("Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"),
        ("Sec-Fetch-Site: sideways",),
        ("Origin: http://evil.example",),
        ("Origin: null",),
        ("Origin:",),
        ("Origin: https://localhost", "Sec-Fetch-Site: same-site"),
        ("Origin: http://localhost:8081",),
        ("Origin: http://localhost", "Origin: http://evil.example"),
        ("Origin: http://evil.example", "Sec-Fetch-Site: same-origin"),
    ],
)
@pytest.mark.parametrize("path", ["health", "ready", "metrics", "nothing"])
def test_the_operators_port_answers_to_no_page_of_another_site(setup, headers, path):
    answer = setup.talk("operator", request(*headers, line=f"GET /{path} HTTP/1.1"))
    assert status(answer) == 403
    assert answer.endswith(b"\r\n\r\nthe operator's port does not answer to pages of other sites\n")


@pytest.mark.parametrize(
    "headers",
    [
        ("Sec-Fetch-Site: none",),
        ("Sec-Fetch-Site: same-origin",),
        ("Origin: http://localhost",),
        ("Origin: https://localhost", "Sec-Fetch-Site: same-origin"),
    ],
)
def test_the_operators_port_answers_its_own_pages_and_direct_visits(setup, headers):
    answer = setup.talk("operator", request(*headers, "Connection: close", line="GET /ready HTTP/1.1"))
    assert status(answer) == 200


def test_a_page_of_another_site_is_refused_at_its_headers(setup):
    port, _ = setup.ports["operator"]
    with connect(port) as client:
        head = request("Sec-Fetch-Site: cross-site", "Content-Length: 100000000", line="POST /metrics HTTP/1.1")
        client.sendall(head)
        assert status(read_to_the_end(client)) == 403


def test_many_who_ask_for_metrics_are_answered(setup):
    one = request(line="GET /metrics HTTP/1.1")
    port, _ = setup.ports["operator"]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(20)]
        for client in clients:
            client.sendall(one * 4 + request("Connection: close", line="GET /metrics HTTP/1.1"))
        for client in clients:
            assert read_to_the_end(client).count(b"HTTP/1.1 200") == 5


def test_nothing_of_all_this_is_a_traceback_or_a_line_each(setup):
    log = setup.node.log
    assert "Traceback" not in log
    assert "the operator's port does not answer to the host 'evil.example'" in log
    assert len(log.splitlines()) < 60
