import os
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from stork_node.publish_server import PublishServer
from tests.components.served import DEADLINE_S, serving, settings, wait_for
from tests.components.test_publisher import NOBODY, followed, next_push

SCRIPT = Path(__file__).parents[2] / "scripts" / "push.py"


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


def push(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    bare = {key: value for key, value in os.environ.items() if not key.startswith("STORK_")}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=bare | environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def said(*arguments: str, **environment: str) -> tuple[int, str]:
    """The exit status, and the last line on stderr."""
    finished = push(*arguments, **environment)
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr
    return finished.returncode, finished.stderr.splitlines()[-1]


def test_a_push_prints_its_position(server: PublishServer):
    with followed(server) as subscriber:
        finished = push("v1.a.1,v1.a.2", "hello", '{"n": 1.50}', "--endpoint", server.router_endpoint)
        frame = next_push(subscriber)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, f"{frame.position}\n", "")
    assert frame.topics == ("v1.a.1", "v1.a.2")
    assert b'"data":{"n": 1.50}' in frame.event


def test_data_may_be_left_out_and_the_answer_too(server: PublishServer):
    before = server.counters.accepted
    finished = push("v1.a.1", "hello", "--no-answer", "--endpoint", server.pull_endpoint)
    assert (finished.returncode, finished.stdout) == (0, "sent\n")
    wait_for(lambda: server.counters.accepted == before + 1, "the push")


def test_the_secret_comes_from_the_environment():
    with serving(settings(secret="geheim")) as server:
        asked = ("v1.a.1", "hello", "--endpoint", server.router_endpoint)
        assert push(*asked, STORK_BUS_SECRET="geheim").returncode == 0
        assert said(*asked, "--timeout-ms", "200", STORK_BUS_SECRET="another")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("v1.a.1", "t", "{a:1}"), 2, "push.py: invalid push: data: not JSON, or beyond its limits"),
        (
            ("v1.a.1,x", "t"),
            2,
            "push.py: invalid push: topics[1]: 'x' is not a topic: 1 parts where version.feed.id has 3",
        ),
        (("v1.a.1", ""), 2, "push.py: invalid push: type: expected a string of length >= 1"),
        (
            ("v1.a.1", "t", "--endpoint", "here"),
            2,
            "push.py: endpoint: 'here' is not an endpoint (want tcp://HOST:PORT)",
        ),
        (("v1.a.1",), 2, "push.py: error: the following arguments are required: TYPE"),
        (("v1.a.1", "t", "--timeout-ms", "x"), 2, "push.py: error: argument --timeout-ms: invalid int value: 'x'"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_an_exit_status(arguments, status, sentence):
    assert said(*arguments) == (status, sentence)


def test_nobody_there_is_one_sentence_and_an_exit_status():
    status, sentence = said("v1.a.1", "t", "--endpoint", NOBODY, "--timeout-ms", "200")
    assert status == 1
    assert sentence.startswith(f"push.py: push not confirmed by {NOBODY} within 200 ms: no")
    assert "(is the publish server running there" in sentence


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("publish.invalid", "tcp://publish.invalid:5557"),
        ("::1", "tcp://[::1]:5557"),
        ("[::1]", "tcp://[::1]:5557"),
    ],
)
def test_the_host_comes_from_the_environment(host, endpoint):
    status, sentence = said("v1.a.1", "t", "--timeout-ms", "50", STORK_PUBLISH_SERVER=host)
    assert status == 1
    assert f"not confirmed by {endpoint} within" in sentence


def test_help_shows_the_arguments_and_the_environment():
    finished = push("--help")
    assert finished.returncode == 0
    for word in ("TOPIC[,TOPIC", "DATA-JSON", "--endpoint", "--no-answer", "STORK_PUBLISH_SERVER", "STORK_BUS_SECRET"):
        assert word in finished.stdout


WITHOUT_INSTALLATION = """
import runpy, sys
packages, script, *arguments = sys.argv[1:]
sys.path.append(packages)
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
"""


def test_it_runs_where_stork_node_is_not_installed(server: PublishServer):
    # -S: no site, so that the packages are there, as on a machine of one's own, but not what is installed for editing.
    packages = str(Path(zmq.__file__).parents[1])
    bare = [sys.executable, "-S", "-I", "-c", WITHOUT_INSTALLATION, packages, str(SCRIPT)]
    finished = subprocess.run(
        [*bare, "v1.a.1", "t", "--endpoint", server.router_endpoint], capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert finished.returncode == 0, finished.stderr


def test_without_its_libraries_it_says_what_to_do():
    finished = subprocess.run([sys.executable, "-S", "-I", str(SCRIPT)], capture_output=True, text=True)
    assert finished.returncode == 2
    assert finished.stderr == (
        "push.py: No module named 'msgspec': run it with .venv/bin/python, or pip install pyzmq msgspec\n"
    )
