"""Starting and healing: what ends a node, what it goes on without, and what its clients see meanwhile."""

import os
import signal
import subprocess
import threading

import pytest

from stork_node.config.old_components import OLD, SENTENCE
from tests.e2e.applications import MANY_WAYS
from tests.gateway import STORK, Deployment, wait_for
from tests.wamp import Closed

FAILS_TO_START = """

@stork.on_start
def start():
    raise ConnectionError("no database at db:5432")
"""


@pytest.fixture
def deployment(tmp_path):
    with Deployment(tmp_path, app=MANY_WAYS) as deployment:
        yield deployment


def end_of(node):
    status = node.popen.wait(60)
    lines = [line.partition(" ")[2] for line in node.log.splitlines()]
    return status, [line for line in lines if line.startswith(("error", "critical"))]


def test_an_application_whose_on_start_fails_ends_the_node_with_a_sentence(deployment):
    deployment.app = MANY_WAYS + FAILS_TO_START
    deployment.start_publish_server()
    status, lines = end_of(deployment.start_node(wait=False))
    assert status == 1
    assert any("no database at db:5432" in line for line in lines)
    assert lines[-1] == "error node    the node cannot start: the process app ended while it was starting"


def test_components_that_name_different_applications_end_the_node(tmp_path):
    def disagree(config):
        components = config["workers"][1]["components"]
        components.append({**components[0], "extra": {**components[0]["extra"], "threads": 7}})

    with Deployment(tmp_path, app=MANY_WAYS, change=disagree) as deployment:
        status, lines = end_of(deployment.start_node(wait=False))
    assert status == 1
    assert any("the application's components of one process must have the same extra" in line for line in lines)


def test_an_old_configuration_works_and_the_log_says_what_to_write(tmp_path):
    def go_back(config):
        (application,) = config["workers"][1]["components"]
        config["workers"][1]["components"] = [{**application, "classname": name} for name in sorted(OLD)]

    with Deployment(tmp_path, app=MANY_WAYS, change=go_back) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join("user:joe") as joe:
            joe.subscribe("v1.group.joe")
            assert joe.call("test.whoami")["authid"] == "joe"
        assert [line for line in node.log.splitlines() if SENTENCE in line and " warn " in line]
        assert node.log.count(SENTENCE) == 1
        checked = subprocess.run(
            [*STORK, "check", "--config", str(node.folder)], env=deployment.environ, capture_output=True, text=True
        )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert f"{SENTENCE}. In place of workers[1].components[0]" in checked.stdout
    assert '"classname": "stork_components.application.Application"' in checked.stdout


def test_two_processes_that_register_one_procedure_end_the_node(tmp_path):
    def twice(config):
        config["workers"].insert(2, {**config["workers"][1], "id": "app2"})

    with Deployment(tmp_path, app=MANY_WAYS, change=twice) as deployment:
        status, lines = end_of(deployment.start_node(wait=False))
    assert status == 1
    assert "register for already registered procedure 'test.count'" in lines[0]


def test_the_end_of_the_router_process_ends_the_node(deployment):
    node = deployment.start_node()
    [router] = node.workers("RouterController")
    os.kill(router, signal.SIGKILL)
    status, lines = end_of(node)
    assert status == 1
    assert lines[-1].endswith("the router process is gone, and the node ends")


def test_a_join_is_held_while_the_application_process_starts_again(deployment):
    deployment.start_publish_server()
    node = deployment.start_node()
    with node.join("user:early") as early, deployment.publisher() as publisher:
        early.subscribe("v1.open.1")
        [pid] = node.workers("ContainerController")
        os.kill(pid, signal.SIGKILL)
        with node.join("user:late") as late:
            assert late.subscribe("v1.open.1")
        publisher.push("v1.open.1", type="t", data="still here")
        assert early.event()[1]["data"] == "still here"
    assert "the process app is gone; it starts again in 0.2 s" in node.log


def test_a_component_that_loses_its_session_is_restarted_with_its_process(deployment):
    node = deployment.start_node()
    [pid] = node.workers("ContainerController")
    with node.backend() as backend:
        for session_id in backend.call("wamp.session.list"):
            # Those in the application process join over the Unix socket.
            if (backend.call("wamp.session.get", session_id) or {}).get("authmethod") == "anonymous":
                backend.call("wamp.session.kill", session_id)
        wait_for(lambda: node.workers("ContainerController") not in ([], [pid]), "another application process")
        with node.join("user:joe") as joe:
            assert joe.subscribe("v1.open.1")
    assert "has lost its session with the router" in node.log


def test_more_joins_at_once_than_are_answered_may_try_again(tmp_path):
    def few(config):
        config["workers"][0]["components"][0]["extra"] |= {"pending_joins": 2, "application_timeout_s": 3.0}

    with Deployment(tmp_path, app=MANY_WAYS, change=few) as deployment:
        node = deployment.start_node()
        slow = [node.connect() for _ in range(2)]
        threads = [threading.Thread(target=join_in_vain, args=(client,)) for client in slow]
        for thread in threads:
            thread.start()
        with node.connect() as client:

            def is_turned_away():
                client.__init__(node.url)
                try:
                    client.join("user:joe")
                except Closed as closed:
                    return closed.code == 1013
                return False

            wait_for(is_turned_away, "a join that is turned away", 3)
        for thread in threads:
            thread.join()
        with node.join("user:joe") as joe:
            assert joe.session_id


def join_in_vain(client):
    with pytest.raises(Closed):
        client.join("hang")
    client.close()
