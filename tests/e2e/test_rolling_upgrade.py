"""
Nodes of this release and of the one before behind one publish server, in the order of docs/operations.md#upgrade.

The release before comes out of the history of this repository, and runs with the dependencies of this one.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import ROOT, Deployment, wait_for
from tests.wamp import Client

# The last commit of the release before. To be moved when there is a release.
EARLIER = "0642670"
TOPIC = "v1.test.upgrade"
RECOVER = "io.virge.stork.recover"


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=True, timeout=120).stdout


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The folder of the release before."""
    try:
        archive = git("archive", EARLIER, "node", "components", ".crossbar")
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip(f"the history of this clone does not reach back to {EARLIER}: git fetch --unshallow")
    folder = tmp_path / "release-before"
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True, timeout=60)
    return folder


class Upgrade(Deployment):
    """A deployment whose parts are each of one of two releases."""

    def __init__(self, folder: Path, earlier: Path) -> None:
        super().__init__(folder)
        self._earlier, self._current = earlier, dict(self.environ)

    def start(self, part: str, release: str) -> Any:
        """Start ``node`` or ``publish_server`` of the ``earlier`` or ``current`` release."""
        is_earlier = release == "earlier"
        root = self._earlier if is_earlier else ROOT
        # What PYTHONPATH names comes before the installed packages, which are this clone.
        path = {"PYTHONPATH": f"{self._earlier}/node:{self._earlier}/components"} if is_earlier else {}
        self.environ = self._current | path
        self.source = root / ".crossbar"
        return self.start_node(release) if part == "node" else self.start_publish_server()

    def replace_publish_server(self, release: str) -> None:
        assert self.publish_server
        self.publish_server.stop()
        self.start("publish_server", release)


@pytest.fixture
def deployment(tmp_path: Path, earlier: Path) -> Iterator[Upgrade]:
    with Upgrade(tmp_path, earlier) as deployment:
        yield deployment


def next_event(client: Client) -> tuple[Any, str]:
    _, event, details = client.event()
    return event["data"], details["position"]


def test_the_release_before_is_another_one(earlier: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import stork_node, stork_components; print(stork_node.__file__)"],
        env={"PYTHONPATH": f"{earlier}/node:{earlier}/components"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert Path(shown.stdout.strip()).is_relative_to(earlier)


def test_nodes_of_two_releases_deliver_the_same_during_an_upgrade_and_back(deployment: Upgrade) -> None:
    deployment.start("publish_server", "earlier")
    nodes = [deployment.start("node", release) for release in ("earlier", "current")]
    with nodes[0].join() as old, nodes[1].join() as new, deployment.publisher(timeout_ms=30_000) as publisher:
        clients = (old, new)
        for client in clients:
            client.subscribe(TOPIC)
        expected: list[tuple[int, str]] = []

        def push_and_compare(release: str) -> None:
            for _ in range(3):
                number = len(expected)
                position = publisher.push(TOPIC, type="t", data=number, id=f"{release}-{number}")
                expected.append((number, str(position)))
            for client in clients:
                assert [next_event(client) for _ in range(3)] == expected[-3:]
                answer = client.call(RECOVER, {TOPIC: expected[0][1]})[TOPIC]
                assert answer["recovered"] is True
                found = [(event["data"], event["position"]) for event in answer["events"]]
                assert found == expected[1:]

        push_and_compare("before")
        deployment.replace_publish_server("current")
        push_and_compare("upgraded")
        # The node of this release attaches, though it has met the earlier server first. The other one passes over that.
        wait_for(lambda: len(publisher.command("forget", topic=TOPIC).nodes) == 2, "the node is attached")
        assert publisher.command("forget", topic=TOPIC).nodes["old-1"] == "old"
        push_and_compare("commanded")
        deployment.replace_publish_server("earlier")
        push_and_compare("back")
