import os
import signal
import urllib.error
import urllib.request

import pytest

from tests.e2e.operator_port import get
from tests.gateway import Deployment, wait_for


def test_a_node_that_is_well_says_so_and_names_the_epoch(shipped):
    node = shipped.nodes[0]
    assert get(node.operator_url + "health") == (200, {"status": "alive"})
    with shipped.publisher() as publisher:
        epoch = publisher.position().partition(":")[0]
    assert get(node.operator_url + "ready") == (200, {"status": "ready", "problems": [], "epoch": epoch})


@pytest.mark.parametrize("path", ["health", "ready", "metrics"])
def test_browsers_do_not_reach_it(shipped, path):
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(shipped.nodes[0].page_url + path, timeout=10)
    assert missing.value.code == 404
    missing.value.close()


def test_ready_says_what_is_wrong(tmp_path):
    with Deployment(tmp_path) as deployment:
        publish_server = deployment.start_publish_server()
        node = deployment.start_node()
        ready = node.operator_url + "ready"
        [application] = node.workers("ContainerController")
        os.kill(application, signal.SIGSTOP)
        os.kill(application, signal.SIGKILL)
        status, said = wait_for(lambda: get(ready)[0] == 503 and get(ready), "a node that is not ready")
        assert (status, said["status"]) == (503, "not_ready")
        assert "nobody has registered io.virge.stork.app.auth" in said["problems"]
        wait_for(lambda: get(ready)[0] == 200, "a node that is ready again")
        publish_server.stop()
        status, said = wait_for(lambda: get(ready)[1]["status"] == "degraded" and get(ready), "a degraded node")
        assert status == 200
        assert "nothing from the publish server for" in said["problems"][0]
        with node.join() as client:
            assert client.subscribe("v1.test.1")


def test_a_node_with_a_transport_that_does_not_listen_is_not_ready(tmp_path):
    def with_another(config):
        config["workers"][0]["components"][2]["extra"]["transports"] = ["public", "second"]

    with Deployment(tmp_path, change=with_another) as deployment:
        deployment.start_publish_server()
        status, said = get(deployment.start_node().operator_url + "ready")
    assert (status, said["status"]) == (503, "not_ready")
    assert said["problems"] == ["the transport second does not listen"]
