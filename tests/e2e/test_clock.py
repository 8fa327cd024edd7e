"""The wall clock of a whole deployment is set, and of the node alone stands still: subscribers see nothing of it."""

import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time

import pytest

from tests.e2e.operator_port import get
from tests.gateway import STORK, Deployment, wait_for
from tests.settable_clock import SettableClock
from tests.wamp import EVENT, Closed

DAY = 86_400
TOPIC = "v1.test.1"
BEAT = "io.virge.stork.beat"
RECOVER = "io.virge.stork.recover"

APP = """
import time
from stork_node import Deny, Principal, Stork
stork = Stork()
@stork.authenticator
def check(request):
    if request.ticket == "an-hour":
        return Principal(authid="short", expires_at=time.time() + 3600)
    return Principal(authid="long")
stork.feed("v1", "test")
@stork.rpc("test.never", allow=True)
async def never(call):
    import asyncio
    await asyncio.sleep(3600)
"""


def _change(config):
    router = config["workers"][0]
    router["components"][1]["extra"]["beat_s"] = 1
    router["components"][0]["extra"]["application_timeout_s"] = 2
    for path in router["transports"][0]["paths"].values():
        if path.get("type") == "websocket":
            path["options"] = path.get("options", {}) | {"auto_ping_interval": 1000, "auto_ping_timeout": 3000}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clock")
    clock = SettableClock(folder)
    with Deployment(folder, app=APP, change=_change, environ=clock.environ) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield clock, deployment


@pytest.fixture
def clock(deployed):
    deployed[0].set(0)
    yield deployed[0]
    deployed[0].set(0)


def until_event(client, topic_id):
    while True:
        message = client._events.popleft() if client._events else client.receive(30)
        if message[:2] == [EVENT, topic_id]:
            return


@pytest.mark.parametrize("step", [-DAY, -600, -1, 1, 600, DAY])
def test_a_step_changes_nothing_that_a_subscriber_sees(deployed, clock, step):
    _, deployment = deployed
    node = deployment.nodes[0]
    with node.join() as client, deployment.publisher() as publisher:
        topic, beat = client.subscribe(TOPIC), client.subscribe(BEAT)
        first = publisher.push([TOPIC], type="before", data={}, id=f"first{step}")
        until_event(client, topic)
        for offset in (step, 0):
            clock.set(offset)
            for _ in range(5):  # it answers pings meanwhile, and is not cut
                until_event(client, beat)
            publisher.push([TOPIC], type="after", data={"offset": offset})
            until_event(client, topic)
            recovered = client.call(RECOVER, {TOPIC: str(first)})[TOPIC]
            assert recovered["recovered"] is True
            assert str(publisher.push([TOPIC], type="before", data={}, id=f"first{step}")) == str(first)
            with node.join() as other:
                other.subscribe(TOPIC)
            status, page = get(node.operator_url + "ready")
            assert (status, page["status"]) == (200, "ready")


@contextlib.contextmanager
def jumping(clock):
    """The wall clock is set to and fro all the time, by a second and by a day."""
    ended = threading.Event()

    def jump():
        for offset in itertools.cycle([-DAY, 1, -1, DAY, -600, 0, 600]):
            clock.set(offset)
            if ended.wait(0.07):
                return

    thread = threading.Thread(target=jump)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        clock.set(0)


def test_steps_while_a_node_starts_reloads_and_drains_change_nothing(tmp_path):
    clock = SettableClock(tmp_path)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environ = clock.environ | {"XDG_RUNTIME_DIR": str(runtime)}
    with Deployment(tmp_path, app=APP, change=_drains, environ=environ) as deployment, jumping(clock):
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join() as client, deployment.publisher() as publisher:
            topic, beat = client.subscribe(TOPIC), client.subscribe(BEAT)
            first = publisher.push([TOPIC], type="started", data={})
            until_event(client, topic)
            (node.folder / "app.py").write_text(APP + "# another\n")
            command = [*STORK, "reload", "--config", str(node.folder)]
            assert subprocess.run(command, env=deployment.environ, timeout=120).returncode == 0
            for _ in range(3):
                until_event(client, beat)
            publisher.push([TOPIC], type="reloaded", data={})
            until_event(client, topic)
            assert client.call(RECOVER, {TOPIC: str(first)})[TOPIC]["recovered"] is True
            with node.join() as other:
                other.subscribe(TOPIC)
            node.popen.send_signal(signal.SIGTERM)
            publisher.push([TOPIC], type="draining", data={})
            until_event(client, topic)
            with pytest.raises(Closed) as closed:
                client.receive_all()
            assert closed.value.code == 1012
        assert node.popen.wait(60) == 0
        assert "Traceback" not in node.log


def _drains(config):
    _change(config)
    config["workers"][0]["components"][3]["extra"] = {"wait_s": 2.0, "spread_s": 1.0}


def test_a_session_ends_when_the_wall_clock_says_so(deployed, clock):
    node = deployed[1].nodes[0]
    with node.join("an-hour") as short, node.join() as long:
        beat = long.subscribe(BEAT)
        clock.set(3_605)
        with pytest.raises(Closed) as closed:
            short.receive_all()
        assert closed.value.code == 4001
        until_event(long, beat)


def test_a_session_lasts_while_the_clock_has_been_set_back(deployed, clock):
    node = deployed[1].nodes[0]
    with node.join("an-hour") as short:
        beat = short.subscribe(BEAT)
        clock.set(-DAY)
        for _ in range(4):
            until_event(short, beat)


def test_a_node_that_was_stopped_cuts_nobody_and_is_ready(deployed, clock):
    node = deployed[1].nodes[0]
    [router] = node.workers("RouterController")
    with node.join() as client:
        beat = client.subscribe(BEAT)
        until_event(client, beat)
        os.kill(router, signal.SIGSTOP)
        try:
            time.sleep(35)  # longer than it may be without a probe of its own
        finally:
            os.kill(router, signal.SIGCONT)
        until_event(client, beat)
        until_event(client, beat)
        wait_for(lambda: get(node.operator_url + "ready")[0] == 200, "a node that is ready")
        assert node.workers("RouterController") == [router]
