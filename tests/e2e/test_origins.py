"""The origins of pages that may open a WebSocket, on every transport that has one."""

import json
import subprocess
import urllib.request

import pytest

from tests.e2e.broadcasting import Ports
from tests.e2e.http_client import UPGRADE, connect, request, status, talk
from tests.e2e.operator_port import samples, value
from tests.gateway import STORK, Deployment

TRANSPORTS = ("web", "tls", "websocket", "universal")


@pytest.fixture(scope="module")
def ports_by_itself(tmp_path_factory):
    return Ports(tmp_path_factory.mktemp("ports"))


@pytest.fixture(scope="module")
def by_itself(tmp_path_factory, ports_by_itself):
    with Deployment(tmp_path_factory.mktemp("by-itself"), change=ports_by_itself.add) as deployment:
        deployment.start_publish_server()
        yield deployment.start_node()


@pytest.fixture
def ports(tmp_path):
    return Ports(tmp_path)


def opened(node, ports, name, origin, *headers, host="shop.example"):
    """The status of a WebSocket's answer to a page of this origin; None: no browser."""
    port = node.port if name == "web" else ports.ports[name]
    sent = (*UPGRADE, *headers, *([] if origin is None else [f"Origin: {origin}"]))
    with connect(port, tls=name == "tls") as client:
        client.sendall(request(*sent, line="GET /ws HTTP/1.1", host=host))
        return status(client.recv(65536))


@pytest.mark.parametrize("name", TRANSPORTS)
def test_pages_of_the_own_host_may_and_no_others(by_itself, ports_by_itself, name):
    assert opened(by_itself, ports_by_itself, name, None) == 101
    assert opened(by_itself, ports_by_itself, name, "https://shop.example") == 101
    assert opened(by_itself, ports_by_itself, name, "https://shop.example:443") == 101
    assert opened(by_itself, ports_by_itself, name, "http://localhost:8080", host="localhost:8080") == (
        403 if name == "tls" else 101
    )
    assert opened(by_itself, ports_by_itself, name, "http://shop.example") == (403 if name == "tls" else 101)
    for origin in (
        "https://evil.example",
        "null",
        "",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
    ):
        assert opened(by_itself, ports_by_itself, name, origin) == 403
    # A developer's application has another port of the same machine.
    for host in ("localhost", "127.0.0.1", "[::1]"):
        to_be = 403 if name == "tls" else 101
        assert opened(by_itself, ports_by_itself, name, f"http://{host}:3000", host=f"{host}:8080") == to_be
    assert opened(by_itself, ports_by_itself, name, "http://localhost:3000", host="127.0.0.1:8080") == 403
    assert opened(by_itself, ports_by_itself, name, "http://shop.example:3000", host="shop.example:8080") == 403
    # What a client says of a balancer counts for nothing.
    forwarded = "X-Forwarded-Host: evil.example"
    assert opened(by_itself, ports_by_itself, name, "https://evil.example", forwarded) == 403
    # Two headers, and the one of older browsers.
    assert opened(by_itself, ports_by_itself, name, "https://shop.example", "Origin: https://evil.example") == 403
    assert opened(by_itself, ports_by_itself, name, None, "Sec-WebSocket-Origin: https://evil.example") == 403


def test_a_refusal_is_short_counted_and_said_once(by_itself):
    def said() -> int:
        lines = [line for line in by_itself.log.splitlines() if "may not open a WebSocket of" in line]
        return sum(" more in " not in line for line in lines)

    before, said_before = value(samples(by_itself), "stork_http_refused_total", reason="origin"), said()
    data = request(*UPGRADE, "Origin: http://shop.example:3000", line="GET /ws HTTP/1.1", host="shop.example:8080")
    answers = {talk(by_itself.port, data) for _ in range(20)}
    sentence = (
        "a page of 'http://shop.example:3000' may not open a WebSocket of 'shop.example:8080': if it should, set "
        "STORK_ORIGINS=http://shop.example:3000 "
        "(a balancer that changes the Host header belongs to STORK_TRUSTED_PROXIES)"
    )
    [answer] = answers
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert answer.endswith(f"\r\n\r\n{sentence}\n".encode())
    assert value(samples(by_itself), "stork_http_refused_total", reason="origin") == before + 20
    assert said() - said_before <= 1


def test_origins_that_are_named_may(tmp_path, ports):
    def change(config):
        ports.add(config)
        for transport in config["workers"][0]["transports"]:
            if transport["id"] == "websocket":
                del transport["options"]["compression"]  # stork check refuses it
            if transport["id"] == "fragments":
                transport["options"] = {**transport["options"], "allowed_origins": ["https://partner.example"]}

    named = "https://www.shop.example, http://localhost:3000 https://*.b.example"
    environ = {"STORK_ORIGINS": named}
    with Deployment(tmp_path, change=change, environ=environ) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        for name in TRANSPORTS:
            for origin in ("https://www.shop.example", "http://localhost:3000", "https://a.b.example"):
                assert opened(node, ports, name, origin) == 101
            assert opened(node, ports, name, "https://shop.example") == 101
            for origin in ("http://www.shop.example", "http://localhost:3001", "https://partner.example", "null"):
                assert opened(node, ports, name, origin) == 403
        # Crossbar's own setting, for one transport, written as people do.
        assert opened(node, ports, "fragments", "https://partner.example") == 101
        assert opened(node, ports, "fragments", "http://localhost:3000") == 101
        assert opened(node, ports, "fragments", "https://evil.example") == 403
        checked = subprocess.run(
            [*STORK, "check", "--config", str(node.folder)], env=deployment.environ, capture_output=True, text=True
        )
        assert checked.returncode == 0
        assert checked.stdout.splitlines()[1:] == [
            "https://www.shop.example: pages of www.shop.example may open WebSockets, by https on port 443",
            "http://localhost:3000: pages of localhost may open WebSockets, by http on port 3000",
            "https://*.b.example: pages of every host below b.example may open WebSockets, by https on port 443",
            "https://partner.example: pages of partner.example may open WebSockets, by https on port 443",
        ]


def test_behind_a_trusted_balancer_the_host_that_it_forwards_is_the_own(tmp_path, ports):
    environ = {"STORK_TRUSTED_PROXIES": "127.0.0.1"}
    with Deployment(tmp_path, change=ports.add, environ=environ) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        forwarded = ("X-Forwarded-Host: shop.example", "X-Forwarded-Proto: https")
        for name in TRANSPORTS:
            assert opened(node, ports, name, "https://shop.example", *forwarded, host="node1:8080") == 101
            for origin in ("http://shop.example", "https://node1:8080", "https://evil.example"):
                assert opened(node, ports, name, origin, *forwarded, host="node1:8080") == 403
            # One that keeps the Host header, as HAProxy does.
            assert opened(node, ports, name, "https://shop.example", "X-Forwarded-Proto: https") == 101


def test_any_origin_may_where_that_is_said(tmp_path, ports):
    with Deployment(tmp_path, environ={"STORK_ORIGINS": "*"}) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        assert opened(node, ports, "web", "https://evil.example") == 101
        assert opened(node, ports, "web", "null") == 101


def test_origins_that_are_none_are_said_with_their_place(tmp_path):
    def change(config):
        options = config["workers"][0]["transports"][0]["paths"]["ws"]["options"]
        options["allowed_origins"] = ["https://shop.example/path"]

    with Deployment(tmp_path, change=change, environ={"STORK_ORIGINS": "wss://shop.example"}) as deployment:
        folder, _ = deployment.write_folder()
        checked = subprocess.run(
            [*STORK, "check", "--json", "--config", str(folder)], env=deployment.environ, capture_output=True, text=True
        )
    assert checked.returncode == 2
    problems = {problem["path"].rpartition(": ")[2]: problem["text"] for problem in json.loads(checked.stdout)}
    assert problems == {
        "workers[0].components[0].extra.origins": (
            "'wss://shop.example' is the address of a WebSocket, not the origin of a page (want https://shop.example)"
        ),
        "workers[0].transports[0].paths.ws.options.allowed_origins": (
            "'https://shop.example/path' is not an origin (want https://shop.example, https://*.shop.example, or *)"
        ),
    }


def test_the_page_itself_is_served_to_everybody(by_itself):
    asked = urllib.request.Request(by_itself.page_url, headers={"Origin": "https://evil.example"})
    with urllib.request.urlopen(asked, timeout=10) as page:
        assert page.status == 200
