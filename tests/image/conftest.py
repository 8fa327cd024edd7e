"""The image, built once, and a tool that runs it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.build import build_ours, check_out
from tests.image.containers import CommandFailed, Containers
from tests.image.witness import Report

_REPORT = Report()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "image: builds the image, and runs it in containers (minutes)")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _REPORT.rows:
        terminalreporter.section("who got what: subscribers of the composition, through HAProxy")
        for line in _REPORT.lines():
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def report() -> Report:
    """A report that is shown at the end of the run."""
    return _REPORT


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
        try:
            print(build_ours(checkout, name))
        except CommandFailed as error:
            if "cannot be had" not in error.output:
                raise
            pytest.skip(f"no base image is in reach, and no ../shared/tools: {error.output.splitlines()[-1]}")
    containers.find_confinement(name)
    yield name
    if not given:
        containers.remove_all()
        containers.call("rmi", name)
