"""The image, built once, and a tool that runs it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.build import build_ours, check_out
from tests.image.containers import Containers


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "image: builds the image, and runs it in containers (minutes)")


@pytest.fixture(scope="session")
def containers() -> Iterator[Containers]:
    found = Containers.find()
    if found is None:
        pytest.skip("neither docker nor podman is here, and no ../shared/tools that would install one")
    if found.program == "podman" and not (shutil.which("iptables") or shutil.which("nft")):
        pytest.fail("podman makes no networks without iptables: apt-get install iptables")
    yield found
    found.remove_all()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_out(tmp_path_factory.mktemp("checkout") / "stork")


@pytest.fixture(scope="session")
def image(containers: Containers, checkout: Path) -> Iterator[str]:
    """The name of the image; that in STORK_TEST_IMAGE, if one is given, is neither built nor removed."""
    given = os.environ.get("STORK_TEST_IMAGE")
    name = given or f"localhost/stork-node-test-{os.getpid()}"
    if not given:
        print(build_ours(checkout, name))
    containers.find_confinement(name)
    yield name
    if not given:
        containers.remove_all()
        containers.call("rmi", name)
