"""``stork push``, ``call`` and ``watch`` against a real deployment."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway import BACKEND_SECRET, STORK, TICKET, Deployment, Node, Process, wait_for


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("deployment")) as deployment:
        deployment.start_publish_server()
        yield deployment


@pytest.fixture(scope="module")
def node(deployment: Deployment) -> Node:
    return deployment.start_node()


def run(deployment: Deployment, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``stork ARGUMENTS``, with no environment of ours but ``environ``."""
    clean = {
        name: value
        for name, value in deployment.environ.items()
        if name not in ("STORK_TICKET", "CROSSBAR_BACKEND_SECRET")
    }
    return subprocess.run(
        [*STORK, *arguments], env=clean | environ, input=stdin, capture_output=True, text=True, timeout=60
    )


class Watch(Process):
    """``stork watch`` that watches; its output and its errors in two files."""

    def __init__(self, node: Node, folder: Path, *arguments: str, **environ: str) -> None:
        self._out = folder / "out"
        command = ["bash", "-c", f'exec "$@" 2>{folder}/log >{self._out}', "bash", *STORK, "watch", "--url", node.url]
        super().__init__([*command, *arguments], folder / "log", node_environ(environ))

    @property
    def lines(self) -> list[str]:
        return self._out.read_text().splitlines()

    def wait_for_lines(self, number: int) -> list[str]:
        wait_for(lambda: len(self.lines) >= number, f"{number} lines")
        return self.lines


def node_environ(environ: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "STORK_TICKET": "", "CROSSBAR_BACKEND_SECRET": "", **environ}


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watch]]:
    started: list[Watch] = []

    def start(node: Node, *arguments: str, **environ: str) -> Watch:
        started.append(Watch(node, tmp_path, *arguments, **environ))
        started[-1].wait_for_line("stork: watching")
        return started[-1]

    yield start
    for watch in started:
        watch.stop(signal.SIGINT)


def test_a_push_prints_its_position(deployment: Deployment) -> None:
    pushed = run(deployment, "push", "v1.test.1", "--type", "hello", "--data", "1", "--endpoint", deployment.router)
    assert (pushed.returncode, pushed.stderr) == (0, "")
    epoch, _, sequence = pushed.stdout.strip().partition(":")
    assert epoch
    assert int(sequence) > 0


def test_a_push_with_the_same_id_gets_the_first_position(deployment: Deployment) -> None:
    arguments = ("push", "v1.test.1", "--id", "once", "--endpoint", deployment.router)
    assert run(deployment, *arguments).stdout == run(deployment, *arguments).stdout


def test_a_push_that_nobody_answers_is_one_sentence(deployment: Deployment) -> None:
    pushed = run(deployment, "push", "v1.test.1", "--endpoint", deployment.pub, "--timeout-ms", "200")
    assert (pushed.returncode, pushed.stdout) == (1, "")
    assert pushed.stderr.startswith(f"stork: push not confirmed by {deployment.pub} within 200 ms: ")
    assert len(pushed.stderr.splitlines()) == 1


def test_a_call_prints_its_result_as_json(deployment: Deployment, node: Node) -> None:
    called = run(
        deployment, "call", "virge.stork.example.foo", '{"name": "Ådå"}', "--url", node.url, STORK_TICKET=TICKET
    )
    assert (called.returncode, called.stdout, called.stderr) == (0, '{\n  "bar": "Ådå"\n}\n', "")


def test_a_call_as_backend_may_do_what_a_browser_may_not(deployment: Deployment, node: Node) -> None:
    count = ("call", "wamp.session.count", "--url", node.url)
    as_browser = run(deployment, *count, "--ticket", TICKET)
    as_backend = run(deployment, *count, CROSSBAR_BACKEND_SECRET=BACKEND_SECRET)
    assert (as_browser.returncode, as_browser.stdout) == (1, "")
    assert as_browser.stderr.startswith("stork: wamp.error.not_authorized: ")
    assert (as_backend.returncode, as_backend.stderr) == (0, "")
    assert int(as_backend.stdout) > 0


@pytest.mark.parametrize(
    ("ticket", "uri", "said"),
    [
        ("wrong", "virge.stork.example.foo", "(io.virge.stork.denied)"),
        (TICKET, "virge.stork.example.bar", "wamp.error."),
    ],
)
def test_an_error_of_the_router_is_one_sentence(
    deployment: Deployment, node: Node, ticket: str, uri: str, said: str
) -> None:
    called = run(deployment, "call", uri, "--url", node.url, "--ticket", ticket)
    assert (called.returncode, called.stdout) == (1, "")
    [line] = called.stderr.splitlines()
    assert said in line


def test_watch_prints_position_type_topic_and_data(
    deployment: Deployment, node: Node, watching: Callable[..., Watch]
) -> None:
    watch = watching(node, "v1.test.1", "v1.user.guest", STORK_TICKET=TICKET)
    assert "stork: watching v1.test.1, v1.user.guest as guest (frontend)" in watch.log
    with deployment.publisher() as publisher:
        first = publisher.push("v1.test.1", "hello\x1b[31m", {"text": "grün \u009b"})
        second = publisher.push("v1.user.guest", "bye")
    lines = watch.wait_for_lines(2)
    assert lines[0].endswith(rf' {first} hello\x1b[31m v1.test.1 {{"text": "grün \u009b"}}')
    assert lines[1].endswith(f" {second} bye v1.user.guest null")
    assert watch.stop(signal.SIGINT) == 0
    assert watch.log.count("\n") == 1


def test_watch_prints_json_lines_of_what_a_pattern_covers(
    deployment: Deployment, node: Node, watching: Callable[..., Watch]
) -> None:
    watch = watching(node, "v1.", "--match", "prefix", "--json", CROSSBAR_BACKEND_SECRET=BACKEND_SECRET)
    with deployment.publisher() as publisher:
        position = publisher.push("v1.orders.42", "paid", {"id": 42}, timestamp="2026-01-01T00:00:00Z")
    [line] = watch.wait_for_lines(1)
    assert json.loads(line) == {
        "topic": "v1.orders.42",
        "position": position,
        "type": "paid",
        "data": {"id": 42},
        "timestamp": "2026-01-01T00:00:00Z",
    }
    assert watch.stop(signal.SIGINT) == 0


def test_watch_names_the_topics_that_it_may_not_see(
    deployment: Deployment, node: Node, watching: Callable[..., Watch]
) -> None:
    watch = watching(node, "v1.user.alice", "v1.test.1", STORK_TICKET=TICKET)
    assert "stork: no subscription to v1.user.alice: wamp.error.not_authorized" in watch.log
    assert "stork: watching v1.test.1 as" in watch.log


def test_watch_ends_where_it_may_see_nothing(deployment: Deployment, node: Node) -> None:
    watched = run(deployment, "watch", "v1.user.alice", "--url", node.url, "--ticket", TICKET)
    assert (watched.returncode, watched.stdout) == (1, "")
    assert "no subscription to v1.user.alice: wamp.error.not_authorized" in watched.stderr


def test_watch_says_once_that_its_ticket_is_refused(deployment: Deployment, node: Node) -> None:
    watched = run(deployment, "watch", "v1.test.1", "v1.test.2", "--url", node.url, "--ticket", "wrong")
    assert watched.returncode == 1
    assert watched.stderr.count("io.virge.stork.denied") == 1
    assert "no subscription" not in watched.stderr


def test_watch_recovers_what_was_pushed_while_its_node_was_away(
    deployment: Deployment, watching: Callable[..., Watch]
) -> None:
    first = deployment.start_node("first")
    watch = watching(first, "v1.test.1", STORK_TICKET=TICKET)
    with deployment.publisher() as publisher:
        positions = [publisher.push("v1.test.1", "before")]
        watch.wait_for_lines(1)
        first.stop()
        watch.wait_for_line("stork: the connection ended: draining (the node restarts); trying again")
        positions += [publisher.push("v1.test.1", "meanwhile", n) for n in range(3)]
        operator_port = deployment.operator_ports[first.port]
        second = Node(first.folder, first.port, operator_port, deployment.folder / "second.log", deployment.environ)
        deployment.processes.append(second)
        second.wait_for_line("the node is ready")
        wait_for(lambda: watch.log.count("stork: watching v1.test.1") == 2, "a second subscription")
        recovered = "stork: recovered v1.test.1: no event was lost"
        wait_for(lambda: recovered in watch.log, recovered)
        positions.append(publisher.push("v1.test.1", "after"))
        lines = watch.wait_for_lines(5)
    assert [line.split()[1] for line in lines] == positions
    assert watch.stop(signal.SIGINT) == 0


def test_watch_says_that_something_is_lost_after_a_new_epoch(tmp_path: Path, watching: Callable[..., Watch]) -> None:
    with Deployment(tmp_path) as deployment:
        publish_server = deployment.start_publish_server()
        node = deployment.start_node()
        watch = watching(node, "v1.test.1", STORK_TICKET=TICKET)
        with deployment.publisher() as publisher:
            publisher.push("v1.test.1", "before")
            watch.wait_for_lines(1)
            publish_server.stop()
            shutil.rmtree(tmp_path / "data")
            deployment.start_publish_server()
            publisher.push("v1.test.1", "lost or not")
        watch.wait_for_line("stork: the connection ended: break")
        watch.wait_for_line("stork: events of v1.test.1 may be lost")
        assert watch.stop(signal.SIGINT) == 0


def test_check_accepts_what_init_writes(deployment: Deployment, tmp_path: Path) -> None:
    folder = str(tmp_path / "crossbar")
    assert run(deployment, "init", folder).returncode == 0
    checked = run(deployment, "check", "--config", folder)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_check_finds_an_app_with_the_version_of_a_feed(deployment: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "crossbar"
    assert run(deployment, "init", str(folder)).returncode == 0
    config = json.loads((folder / "config.json").read_text())
    apps = [{"id": "7", "keys": [{"key": "k", "secret": "s"}], "version": "v1"}]
    config["workers"][0]["components"][5]["extra"]["apps"] = apps
    (folder / "config.json").write_text(json.dumps(config))
    checked = run(deployment, "check", "--config", str(folder))
    assert checked.returncode == 2
    assert "components[5].extra.apps: the app '7' has the version of the feed v1." in checked.stderr
