"""Deployments that many tests share; a test that breaks something starts one of its own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import txaio

from stork_node import process_state
from stork_node.recursion import limit_recursion
from tests.gateway import API_KEY, Deployment

# Before any module of autobahn's is imported: each keeps what it met, also where it met no framework at all.
txaio.use_twisted()

# How long an example takes says nothing here: these machines have other work.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """The tests' imports of Crossbar raise the recursion limit; then a RecursionError would be a crash."""
    limit_recursion()


@pytest.fixture(autouse=True)
def _process_state() -> Iterator[None]:
    """Each test begins without the process state of the one before."""
    yield
    process_state.reset()


def _with_a_page_below(config: dict[str, Any]) -> None:
    """A second page at /below/, with headers of its own."""
    paths = config["workers"][0]["transports"][0]["paths"]
    extra = {"directory": "web", "headers": {"Content-Security-Policy": "", "x-own": "1"}}
    paths["below"] = {**paths["/"], "extra": extra}


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The shipped .crossbar/ on two nodes, with one publish server."""
    folder = tmp_path_factory.mktemp("shipped")
    with Deployment(folder, environ={"STORK_API_KEY": API_KEY}, change=_with_a_page_below) as deployment:
        deployment.start_publish_server()
        deployment.start_node("one")
        deployment.start_node("two")
        yield deployment


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "stork-test", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)
