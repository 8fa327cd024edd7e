"""SIGTERM: a node tells its balancer, goes on serving, lets go of its clients, finishes what is in flight, and ends."""

import os
import signal
import threading
import time

import pytest

from tests.e2e.applications import MANY_WAYS
from tests.e2e.operator_port import get
from tests.gateway import Deployment, wait_for
from tests.wamp import CALL, YIELD, Closed

SLOW_CALLS = (
    MANY_WAYS
    + """

@stork.rpc("test.slow", allow=True)
async def slow(call):
    await asyncio.sleep(call.args[0])
    return "slow answer"


@stork.rpc("test.hang", allow=True)
async def hang(call):
    await asyncio.sleep(3600)


@stork.on_stop
def stopped():
    print("on_stop was called")
"""
)


def drains(wait_s, spread_s, finish_s=5.0):
    def change(config):
        config["workers"][0]["components"][3]["extra"] = {"wait_s": wait_s, "spread_s": spread_s, "finish_s": finish_s}

    return change


@pytest.fixture
def start(tmp_path):
    deployments = []

    def start(*settings):
        deployments.append(Deployment(tmp_path, app=SLOW_CALLS, change=drains(*settings)))
        deployments[-1].start_publish_server()
        return deployments[-1], deployments[-1].start_node()

    yield start
    for deployment in deployments:
        deployment.__exit__()


def end_of(client):
    """The code and the reason with which a connection is closed, and when; no GOODBYE comes before."""
    with pytest.raises(Closed) as closed:
        pytest.fail(f"nothing was expected before the end, and this came: {client.receive()}")
    return closed.value.code, closed.value.reason, time.monotonic()


def test_a_draining_node_is_not_ready_and_serves_until_the_balancer_knows(start):
    deployment, node = start(3.0, 0.0)
    early = node.join("user:early")
    early.subscribe("v1.open.1")
    node.popen.send_signal(signal.SIGTERM)
    status, said = wait_for(
        lambda: get(node.operator_url + "ready")[0] == 503 and get(node.operator_url + "ready"), "503"
    )
    assert (status, said["status"], said["problems"]) == (503, "not_ready", ["draining"])
    assert get(node.operator_url + "health")[0] == 200
    with node.join("user:late") as late, deployment.publisher() as publisher:
        late.subscribe("v1.open.1")
        assert late.call("test.whoami")["authid"] == "late"
        publisher.push("v1.open.1", type="t", data="while it drains")
        for client in (early, late):
            assert client.event()[1]["data"] == "while it drains"
            assert end_of(client)[:2] == (1012, "the node restarts")
    assert node.popen.wait(30) == 0
    assert "on_stop was called" in node.log


def test_connections_are_closed_one_after_the_other_over_the_stated_time(start):
    _, node = start(0.0, 2.0)
    clients = [node.join(f"user:{n}") for n in range(5)]
    ends = []
    threads = [threading.Thread(target=lambda client=client: ends.append(end_of(client))) for client in clients]
    for thread in threads:
        thread.start()
    node.popen.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert {(code, reason) for code, reason, _ in ends} == {(1012, "the node restarts")}
    times = sorted(at for *_, at in ends)
    # 0.0, 0.4, 0.8, 1.2 and 1.6 s after the first; a busy machine makes them later, never much closer together.
    assert times[-1] - times[0] > 1.0
    assert node.popen.wait(30) == 0


def test_a_client_that_comes_during_the_drain_is_told_to_try_again(start):
    _, node = start(0.0, 5.0)
    first, last = node.join("user:first"), node.join("user:last")
    node.popen.send_signal(signal.SIGTERM)

    def is_refused():
        try:
            node.connect().close()
        except OSError:
            return True
        return False

    wait_for(is_refused, "a port that is closed")
    for client in (first, last):
        assert end_of(client)[0] == 1012
    assert node.popen.wait(30) == 0


def test_a_call_in_flight_is_answered_before_its_connection_is_closed(start):
    _, node = start(0.0, 0.0)
    with node.join("user:joe") as joe, node.join("user:idle") as idle:
        joe.send(CALL, 1000, {}, "test.slow", [2.0])
        # The router has taken the call when it has answered one that came after it.
        assert joe.call("test.whoami")["authid"] == "joe"
        node.popen.send_signal(signal.SIGTERM)
        assert end_of(idle)[0] == 1012
        assert joe.receive()[3] == ["slow answer"]
        assert end_of(joe)[0] == 1012
    assert node.popen.wait(30) == 0


def test_a_call_that_a_backend_answers_is_answered_as_well(start):
    _, node = start(0.0, 0.0)
    with node.backend() as callee, node.backend() as caller:
        callee.register("backend.slow", lambda: None)
        caller.send(CALL, 1000, {}, "backend.slow")
        invocation = callee.receive()
        node.popen.send_signal(signal.SIGTERM)
        wait_for(lambda: get(node.operator_url + "ready")[0] == 503, "a node that drains")
        callee.send(YIELD, invocation[1], {}, ["late answer"])
        assert caller.receive()[3] == ["late answer"]
        for client in (caller, callee):
            assert end_of(client)[0] == 1012
    assert node.popen.wait(30) == 0


def test_a_call_that_hangs_holds_up_the_end_no_longer_than_stated(start):
    _, node = start(0.0, 0.0, 0.5)
    with node.join("user:joe") as joe:
        joe.send(CALL, 1000, {}, "test.hang", [])
        assert joe.call("test.whoami")["authid"] == "joe"
        node.popen.send_signal(signal.SIGTERM)
        assert end_of(joe)[0] == 1012
    assert node.popen.wait(30) == 0
    assert "CancelledError" not in node.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(start, number):
    _, node = start(600.0, 600.0)
    with node.join("user:joe"):
        node.popen.send_signal(number)
        wait_for(lambda: get(node.operator_url + "ready")[0] == 503, "a node that drains")
        node.popen.send_signal(number)
        assert node.popen.wait(15) == 0


def test_an_application_process_that_dies_during_the_drain_is_restarted(start):
    _, node = start(600.0, 0.0)
    node.popen.send_signal(signal.SIGTERM)
    wait_for(lambda: get(node.operator_url + "ready")[0] == 503, "a node that drains")
    [application] = node.workers("ContainerController")
    os.kill(application, signal.SIGKILL)
    with node.join("user:joe") as joe:
        assert joe.call("test.whoami")["authid"] == "joe"
    node.popen.send_signal(signal.SIGTERM)
    assert node.popen.wait(30) == 0


def test_every_connection_is_closed_at_once_when_no_drain_is_configured(tmp_path):
    def without(config):
        del config["workers"][0]["components"][3]

    with Deployment(tmp_path, change=without) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join() as client:
            node.popen.send_signal(signal.SIGTERM)
            assert end_of(client)[:2] == (1012, "the node restarts")
        assert node.stop() == 0
