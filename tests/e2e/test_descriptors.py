"""A node whose descriptors are used up by strangers."""

import os
import resource
import socket
from pathlib import Path

import pytest

from tests.e2e.http_client import UPGRADE, connect, request, status, talk
from tests.e2e.operator_port import get, scrape
from tests.gateway import Deployment, wait_for
from tests.wamp import EVENT

LIMIT = 256


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def node(tmp_path):
    with Deployment(tmp_path) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        [router] = node.workers("RouterController")
        resource.prlimit(router, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        node.router, node.deployment = router, deployment
        yield node


def is_full(node):
    return status(talk(node.port, request())) == 503


def test_the_operator_and_those_who_are_in_are_served(node):
    with node.join() as client, node.deployment.publisher() as publisher:
        client.subscribe("v1.test.1")
        strangers = [connect(node.port) for _ in range(2 * LIMIT)]
        try:
            wait_for(lambda: is_full(node), "a refusal that is heard")
            before = cpu_s(node.router)
            answers = [talk(node.port, request()) for _ in range(20)]
            assert {status(answer) for answer in answers} == {503}
            assert b"Retry-After: 5" in answers[0]
            assert status(talk(node.port, request(*UPGRADE, line="GET /ws HTTP/1.1"))) == 503
            for _ in range(20):
                assert get(node.operator_url + "ready")[0] == 200
                assert "stork_http_refused_total" in scrape(node)
            publisher.push("v1.test.1", type="still")
            assert client.receive()[0] == EVENT
            assert cpu_s(node.router) - before < 3
        finally:
            for stranger in strangers:
                stranger.close()
        wait_for(lambda: status(talk(node.port, request("Connection: close"))) == 200, "room for others")
        with node.join():
            pass
    assert node.log.count("the descriptors are used up") == 1
    assert "Traceback" not in node.log


def test_strangers_who_say_nothing_are_not_kept(node):
    with socket.create_connection(("127.0.0.1", node.port)) as silent:
        silent.settimeout(60)
        assert silent.recv(1) == b""
