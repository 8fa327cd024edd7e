"""A node whose part hangs or fails while it runs."""

import os
import signal

import pytest

from tests.e2e.applications import MANY_WAYS
from tests.e2e.operator_port import get
from tests.gateway import Deployment, Node, wait_for
from tests.wamp import CALL, Closed, Refused

HANGS = (
    MANY_WAYS
    + """

@stork.rpc("test.hold", allow=True)
def hold(call):
    time.sleep(3600)


@stork.rpc("test.block", allow=True)
async def block(call):
    time.sleep(3600)
"""
)


def in_a_hurry(config):
    for component in config["workers"][1]["components"]:
        component["extra"] |= {"threads": 2, "hung_after_s": 1.0}
    config["workers"][0]["components"][0]["extra"] |= {"application_timeout_s": 1.0}


@pytest.fixture
def deployment(tmp_path):
    with Deployment(tmp_path, app=HANGS, change=in_a_hurry) as deployment:
        deployment.start_publish_server()
        yield deployment


def join_until_let_in(node):
    """Join like a client that is told to try again."""

    def let_in():
        try:
            return node.join("user:late")
        except Closed as closed:
            if closed.code != 1013:
                raise
            return None

    return wait_for(let_in, "a join")


@pytest.mark.parametrize(
    ("procedure", "sentence"),
    [
        ("test.hold", "the application hangs: all 2 threads are held for 1 s, at "),
        ("test.block", "the application hangs: the asyncio loop is blocked for 1 s, at "),
    ],
)
def test_a_hung_application_is_replaced_while_browsers_stay_connected(deployment, procedure, sentence):
    node = deployment.start_node()
    [old] = node.workers("ContainerController")
    with node.join("user:joe") as joe, deployment.publisher() as publisher:
        joe.subscribe("v1.open.1")
        for n in range(3):
            joe.send(CALL, 1000 + n, {}, procedure, [])
        node.wait_for_line(sentence)
        with join_until_let_in(node) as late:
            assert late.subscribe("v1.open.1")
        for _ in range(3):
            with pytest.raises(Refused):
                # The calls that hung are answered with an error.
                joe.request(CALL, {}, "test.raise")
        publisher.push("v1.open.1", type="t", data="still here")
        assert joe.event()[1]["data"] == "still here"
    assert node.workers("ContainerController") != [old]
    assert "app.py:" in node.log.partition(sentence)[2].splitlines()[0]


SLOW_TO_STOP = (
    MANY_WAYS
    + """

@stork.rpc("test.slow", allow=True)
async def slow(call):
    await asyncio.sleep(4)
    print("the call is through")


@stork.on_stop
async def stop():
    print("on_stop has begun")
    await asyncio.sleep(4)
    print("on_stop is through")
"""
)


def test_a_node_without_its_router_waits_for_no_slow_application(tmp_path):
    with Deployment(tmp_path, app=SLOW_TO_STOP) as deployment:
        node = deployment.start_node()
        with node.join("user:joe") as joe:
            joe.send(CALL, 1000, {}, "test.slow", [])
            assert joe.call("test.whoami")["authid"] == "joe"
            [router], [application] = node.workers("RouterController"), node.workers("ContainerController")
            os.kill(router, signal.SIGKILL)
            assert node.popen.wait(30) == 1
    assert not is_there(application)
    assert "the router process is gone, and the node ends" in node.log
    assert "is through" not in node.log


def test_a_node_without_its_router_waits_for_no_frozen_application(tmp_path):
    with Deployment(tmp_path, app=MANY_WAYS) as deployment:
        node = deployment.start_node()
        [router], [application] = node.workers("RouterController"), node.workers("ContainerController")
        os.kill(application, signal.SIGSTOP)
        os.kill(router, signal.SIGKILL)
        # Crossbar would wait for 21 s.
        assert node.popen.wait(15) == 1
    assert not is_there(application)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_calls_work_as_soon_as_joins_after_the_application_process_ended(deployment):
    node = deployment.start_node()
    [pid] = node.workers("ContainerController")
    os.kill(pid, signal.SIGKILL)
    with join_until_let_in(node) as late:
        assert late.call("test.whoami")["authid"] == "late"


def test_an_application_process_that_keeps_dying_restarts_after_pauses(deployment):
    node = deployment.start_node()
    with node.join("user:joe") as joe, deployment.publisher() as publisher:
        joe.subscribe("v1.open.1")
        for pause_s in ("0.2", "0.4", "0.8"):
            [pid] = wait_for(lambda: node.workers("ContainerController"), "an application process")
            os.kill(pid, signal.SIGKILL)
            node.wait_for_line(f"the process app is gone; it starts again in {pause_s} s")
            publisher.push("v1.open.1", type="t", data=pause_s)
            assert joe.event()[1]["data"] == pause_s
        with join_until_let_in(node) as late:
            assert late.call("test.whoami")["authid"] == "late"


FAILING = """
import os

from stork_components.guard import Guard
from stork_components.relay import Relay


class FailingRelay(Relay):
    async def start(self):
        await super().start()
        take_frames = self._following.take_frames

        def fail(messages):
            if b"poison" in b"".join(frame for message in messages for frame in message):
                raise RuntimeError("a fault in the relay")
            take_frames(messages)

        self._following.take_frames = fail


class ProbelessRelay(Relay):
    def _probe(self):
        if os.path.exists("STOP_PROBING"):
            raise RuntimeError("a fault in the probe")
        super()._probe()


class SilentRelay(Relay):
    def _probe(self):
        if not os.path.exists("STOP_PROBING"):
            super()._probe()


class FailingGuard(Guard):
    async def authenticate(self, realm, authid, details):
        if details["ticket"] == "poison":
            raise RuntimeError("a fault in the guard")
        return await super().authenticate(realm, authid, details)
"""


@pytest.fixture
def start_with(tmp_path):
    deployments = []

    def start(index, name):
        def change(config):
            config["workers"][0]["components"][index]["classname"] = f"failing.{name}"

        deployment = Deployment(tmp_path, app=MANY_WAYS, change=change)
        deployments.append(deployment)
        deployment.start_publish_server()
        folder, port = deployment.write_folder("node")
        (folder / "failing.py").write_text(FAILING.replace("STOP_PROBING", str(tmp_path / "stop-probing")))
        return deployment, folder, port

    yield start
    for deployment in deployments:
        deployment.__exit__()


def run(deployment, folder, port):
    node = Node(folder, port, deployment.operator_ports[port], deployment.folder / "node.log", deployment.environ)
    deployment.processes.append(node)
    node.wait_for_line("the node is ready")
    return node


def test_a_relay_that_fails_while_it_runs_takes_the_node_down(start_with):
    deployment, folder, port = start_with(1, "FailingRelay")
    node = run(deployment, folder, port)
    with node.join("user:joe") as joe, deployment.publisher() as publisher:
        joe.subscribe("v1.open.1")
        publisher.push("v1.open.1", type="t", data="poison")
        assert node.popen.wait(30) == 1
        with pytest.raises(Closed):
            joe.receive_all()
    assert "a fault in the relay" in node.log
    assert "the router process is gone, and the node ends" in node.log


def test_a_relay_whose_loop_fails_takes_the_node_down(start_with):
    deployment, folder, port = start_with(1, "ProbelessRelay")
    node = run(deployment, folder, port)
    (deployment.folder / "stop-probing").touch()
    assert node.popen.wait(30) == 1
    assert "a fault in the probe" in node.log


def test_a_relay_without_its_probe_is_reported_and_then_ends_the_node(start_with):
    deployment, folder, port = start_with(1, "SilentRelay")
    node = run(deployment, folder, port)
    (deployment.folder / "stop-probing").touch()
    status, said = wait_for(
        lambda: get(node.operator_url + "ready")[0] == 503 and get(node.operator_url + "ready"), "503"
    )
    assert status == 503
    assert said["problems"][0].startswith("the relay is stuck: its own probe did not come back for ")
    assert node.popen.wait(60) == 1
    assert "the relay is stuck" in node.log


def test_a_fault_of_the_guard_turns_away_one_client_that_can_try_again(start_with):
    deployment, folder, port = start_with(0, "FailingGuard")
    node = run(deployment, folder, port)
    with node.connect() as client, pytest.raises(Closed) as closed:
        client.join("poison")
    assert closed.value.code == 1013
    node.wait_for_line("a fault in the guard")
    with node.join("user:joe") as joe:
        assert joe.subscribe("v1.open.1")


def test_a_guard_that_loses_its_session_takes_the_node_down(deployment):
    node = deployment.start_node()
    with node.backend() as backend:
        [callee] = backend.call(
            "wamp.registration.list_callees", backend.call("wamp.registration.lookup", "io.virge.stork.guard.auth")
        )
        backend.send(CALL, 1000, {}, "wamp.session.kill", [callee])
        assert node.popen.wait(30) == 1
    assert "has lost its session with the router" in node.log
