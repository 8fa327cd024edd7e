"""Deployments that many tests share; a test that breaks something starts one of its own."""

from collections.abc import Iterator

import pytest

from tests.gateway import Deployment


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The shipped .crossbar/ on two nodes, with one publish server."""
    with Deployment(tmp_path_factory.mktemp("shipped")) as deployment:
        deployment.start_publish_server()
        deployment.start_node("one")
        deployment.start_node("two")
        yield deployment
