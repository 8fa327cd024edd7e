from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.applications import MANY_WAYS
from tests.gateway import Deployment, Node


def in_a_hurry(config: dict[str, Any]) -> None:
    """Time-outs that a test can wait for."""
    config["workers"][0]["components"][0]["extra"] |= {"application_timeout_s": 1.0, "starting_timeout_s": 2.0}


@pytest.fixture(scope="session")
def many_ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A node whose application does what a ticket or a topic says (``applications.MANY_WAYS``)."""
    with Deployment(tmp_path_factory.mktemp("many-ways"), app=MANY_WAYS, change=in_a_hurry) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield deployment


@pytest.fixture
def node(many_ways: Deployment) -> Iterator[Node]:
    """The shared node; each test leaves it able to serve the next client."""
    [node] = many_ways.nodes
    yield node
    with node.join("user:next") as client:
        assert client.call("test.whoami")["authid"] == "next"
