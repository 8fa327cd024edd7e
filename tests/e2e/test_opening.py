"""How a connection begins: with a WebSocket's request in one piece, in pieces or not at all, and with other HTTP."""

import socket
import time

import pytest

from tests.gateway import Deployment

CLIENT_TIMEOUT_S = 2


def hurry(config):
    config["workers"][0]["transports"][0]["options"]["client_timeout"] = CLIENT_TIMEOUT_S


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("opening"), change=hurry) as deployment:
        deployment.start_publish_server()
        yield deployment.start_node().port


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: wamp.2.json",
)


def request(*headers, line="GET /ws HTTP/1.1"):
    return "".join(f"{each}\r\n" for each in (line, "Host: example.org", *headers, "")).encode("latin-1")


def talk(port, *pieces):
    """The answer up to the end of the header; empty if the connection is closed without one."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(0.1)  # for the pieces before it to arrive by themselves
            client.sendall(piece)
        answer = b""
        while b"\r\n\r\n" not in answer and (more := client.recv(65536)):
            answer += more
    return answer.partition(b"\r\n")[0].decode()


SWITCHED = "HTTP/1.1 101 Switching Protocols"


def test_a_request_in_one_piece_becomes_a_websocket(port):
    assert talk(port, request(*UPGRADE)) == SWITCHED
    assert talk(port, request(*UPGRADE, line="GET /ws?token=a%20b HTTP/1.1")) == SWITCHED


def test_a_request_in_pieces_becomes_a_websocket(port):
    whole = request(*UPGRADE)
    assert talk(port, whole[:2], whole[2:90], whole[90:]) == SWITCHED


def test_a_request_that_twisted_has_to_read_becomes_a_websocket(port):
    assert talk(port, request("X-Name: J\xf6rg", *UPGRADE)) == SWITCHED
    assert talk(port, request("X-Name: a", "X-Name: b", *UPGRADE)) == SWITCHED


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([request(line="GET / HTTP/1.1")], "HTTP/1.1 200 OK"),
        ([request(line="GET /stork.js HTTP/1.1")], "HTTP/1.1 200 OK"),
        ([request(line="GET /nothing HTTP/1.1")], "HTTP/1.1 404 Not Found"),
        ([request(line="HEAD / HTTP/1.1")], "HTTP/1.1 200 OK"),
        ([b"nonsense\r\n\r\n"], "HTTP/1.1 400 Bad Request"),
        ([request("No colon here", *UPGRADE)], "HTTP/1.1 400 Bad Request"),
        ([request("Sec-WebSocket-Version: 13")], "HTTP/1.1 426 HTTP Upgrade header missing"),
        ([request(*UPGRADE, line="POST /ws HTTP/1.1")], "HTTP/1.1 405 Method Not Allowed"),
    ],
)
def test_everything_else_is_answered_as_http(port, pieces, status):
    assert talk(port, *pieces).startswith(status)


@pytest.mark.parametrize("begun", [b"", b"GET /ws HTTP/1.1\r\nHost: exam"])
def test_a_client_that_does_not_come_to_an_end_is_closed(port, begun):
    assert talk(port, begun) == ""
