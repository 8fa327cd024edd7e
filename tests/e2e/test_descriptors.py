"""A node whose descriptors are used up: strangers give way to newcomers, and whoever has joined does not."""

import contextlib
import os
import resource
import socket
import threading
from pathlib import Path

import pytest

from tests.e2e.http_client import UPGRADE, connect, read_to_the_end, request, status, talk
from tests.e2e.operator_port import get, samples, scrape, value
from tests.gateway import Deployment, wait_for
from tests.wamp import EVENT

LIMIT = 256
OF_ONE_ADDRESS = 60
FULL = "the descriptors are used up: clients are refused, or give way to others"


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _change(config):
    config["workers"][0]["components"][0]["extra"]["limits"] = {"unjoined_connections": OF_ONE_ADDRESS}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("full"), change=_change) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        [router] = node.workers("RouterController")
        resource.prlimit(router, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        node.router, node.deployment = router, deployment
        yield node
        assert "Traceback" not in node.log


def call(port, address):
    """A connection from another address of the loopback."""
    return socket.create_connection(("127.0.0.1", port), 10, source_address=(address, 0))


def is_open(connection):
    """Whether the node has not closed it; what it said is dropped."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        connection.settimeout(10)
    return False


def limited(node, limit):
    return value(samples(node), "stork_limited_total", limit=limit)


@contextlib.contextmanager
def strangers(node, first_words):
    """More silent connections than there are descriptors, for as long as it lasts: who is cut comes again."""
    held, ended = [], threading.Event()

    def hold():
        number = 0
        while not ended.is_set():
            while len(held) < LIMIT and not ended.is_set():
                number += 1
                try:
                    one = call(node.port, f"127.0.1.{number % 100}")
                    one.sendall(first_words)
                except OSError:
                    continue
                held.append(one)
            for gone in [each for each in held if not is_open(each)]:
                gone.close()
                held.remove(gone)
            ended.wait(0.1)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        wait_for(lambda: get(node.operator_url + "ready")[1]["problems"] == [FULL], "a full node")
        yield
    finally:
        ended.set()
        thread.join()
        for each in held:
            each.close()


@pytest.mark.parametrize("words", [b"", b"GET / HTTP/1.1\r\na: ", request(*UPGRADE, line="GET /ws HTTP/1.1")])
def test_strangers_give_way_to_newcomers(node, words):
    with node.join() as client, node.deployment.publisher() as publisher:
        client.subscribe("v1.test.1")
        with strangers(node, words):
            for _ in range(5):
                with node.join() as newcomer:
                    newcomer.subscribe("v1.test.1")
                assert get(node.operator_url + "ready")[0] == 200
                assert "stork_http_refused_total" in scrape(node)
            assert get(node.operator_url + "ready")[1]["status"] == "degraded"
            assert limited(node, "descriptors") > 0
        publisher.push("v1.test.1", type="still")
        assert client.receive()[0] == EVENT
    node.wait_for_line("connections that have not joined give way to new ones")
    assert len(node.log.splitlines()) < 60  # and not one for each


def test_whoever_has_joined_gives_way_to_nobody(node):
    with contextlib.ExitStack() as stack:
        joined = []
        with contextlib.suppress(Exception):  # refused, in the end
            while len(joined) < LIMIT:
                joined.append(stack.enter_context(node.join()))
        wait_for(lambda: status(talk(node.port, request())) == 503, "a refusal that is heard")
        before = cpu_s(node.router)
        answers = [talk(node.port, request()) for _ in range(20)]
        assert {status(answer) for answer in answers} == {503}
        assert b"Retry-After: 5" in answers[0]
        assert status(talk(node.port, request(*UPGRADE, line="GET /ws HTTP/1.1"))) == 503
        assert get(node.operator_url + "ready")[0] == 200
        assert cpu_s(node.router) - before < 3
        for client in joined:
            assert client.call("io.virge.stork.recover", {}) == {}
    wait_for(lambda: status(talk(node.port, request("Connection: close"))) == 200, "room for others")


def test_one_address_has_a_bound_and_its_oldest_give_way(node):
    wait_for(lambda: _is_empty(node), "those before to be gone")
    before = limited(node, "unjoined_connections")
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(call(node.port, "127.0.2.1"))
        many = [stack.enter_context(call(node.port, "127.0.2.2")) for _ in range(OF_ONE_ADDRESS + 20)]
        wait_for(lambda: limited(node, "unjoined_connections") == before + 20, "the oldest to give way")
        assert [is_open(each) for each in many] == [False] * 20 + [True] * OF_ONE_ADDRESS
        assert is_open(other)
        with node.join():
            pass
    node.wait_for_line("127.0.2.2 has more than 60 connections that have not joined: the oldest give way")


def _is_empty(node):
    return value(samples(node), "stork_process_open_fds", process="router") < LIMIT / 2


def test_the_operators_port_keeps_a_bounded_number_of_connections(node):
    operator = int(node.operator_url.rstrip("/").rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(connect(operator)) for _ in range(2 * LIMIT)]
        for _ in range(5):
            assert get(node.operator_url + "ready")[0] == 200
        wait_for(lambda: sum(map(is_open, many)) <= 32, "the oldest to give way")
        with node.join():
            pass
        # The last ones are still answered.
        many[-1].sendall(request("Connection: close", line="GET /health HTTP/1.1"))
        assert status(read_to_the_end(many[-1])) == 200


def test_strangers_who_say_nothing_are_not_kept(node):
    with socket.create_connection(("127.0.0.1", node.port)) as silent:
        silent.settimeout(60)
        assert silent.recv(1) == b""
