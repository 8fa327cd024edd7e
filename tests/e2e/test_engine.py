"""One node and two publish servers on one Redis: a server that freezes is not seen, and a Redis that ends is told."""

import json
import signal
import urllib.request

import pytest

from stork_node import Publisher
from tests.gateway import STORK, Deployment, Process, free_ports, wait_for
from tests.redis_servers import RedisServer

TOPIC = "v1.test.1"


@pytest.fixture
def redis_server(tmp_path):
    with RedisServer(tmp_path) as server:
        yield server


def ready(node):
    with urllib.request.urlopen(f"{node.operator_url}ready", timeout=5) as answer:
        return json.loads(answer.read())


def test_browsers_see_nothing_of_a_frozen_publish_server_and_are_told_of_a_lost_redis(tmp_path, redis_server):
    with Deployment(tmp_path, environ={"STORK_ENGINE": redis_server.url}) as deployment:
        first = deployment.start_publish_server()
        pull, router, pub, replay = (f"tcp://127.0.0.1:{port}" for port in free_ports(4))
        command = [*STORK, "publish-server", "--pull", pull, "--router", router, "--pub", pub, "--replay", replay]
        second = Process(command, tmp_path / "second.log", deployment.environ)
        deployment.processes.append(second)
        first.wait_for_line("publish server is up")
        second.wait_for_line("publish server is up")
        deployment.pub, deployment.replay = f"{deployment.pub},{pub}", f"{deployment.replay},{replay}"
        node = deployment.start_node()
        client = node.join()
        client.subscribe(TOPIC)
        with Publisher(f"{deployment.router},{router}", timeout_ms=20_000) as publisher:
            publisher.push(TOPIC, "t", 1)
            assert client.event()[1]["args"][0]["data"] == 1
            first.popen.send_signal(signal.SIGSTOP)
            publisher.push(TOPIC, "t", 2)
            node.wait_for_line("this node follows", 30)
            assert client.event(timeout_s=20)[1]["args"][0]["data"] == 2
            first.popen.send_signal(signal.SIGCONT)
            publisher.push(TOPIC, "t", 3)
            assert client.event(timeout_s=20)[1]["args"][0]["data"] == 3
            assert "a break" not in node.log

            redis_server.kill()
            found = wait_for(lambda: ready(node) if ready(node)["status"] == "degraded" else None, "degraded")
            assert "the engine has confirmed nothing" in found["problems"][0]
            redis_server.start()
            publisher.push(TOPIC, "t", 4)
            node.wait_for_line("a break", 30)
            wait_for(lambda: ready(node)["status"] == "ready", "ready")
            again = node.join()
            again.subscribe(TOPIC)
            publisher.push(TOPIC, "t", 5)
            assert again.event(timeout_s=20)[1]["args"][0]["data"] == 5
