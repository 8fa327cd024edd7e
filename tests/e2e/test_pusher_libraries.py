"""Other people's Pusher libraries, with every call that they have, against one node."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway import ROOT, Deployment
from tests.pusher import KEY, SECRET

CLIENTS = ROOT / "tests/pusher_clients"
JAVA = CLIENTS / "java/target"
APPS = [{"id": "1", "keys": [{"key": KEY, "secret": SECRET}], "client_events": "members"}]


def with_app(config):
    config["workers"][0]["components"][5]["extra"]["apps"] = APPS


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("pusher-libraries"), change=with_app) as deployment:
        deployment.start_publish_server()
        yield deployment.start_node().port


def is_well(port: int, *command: str | Path | None) -> None:
    assert all(command), "a tool is missing: scripts/test installs it"
    words = [*map(str, command), str(port), KEY, SECRET]
    run = subprocess.run(words, capture_output=True, text=True, timeout=180, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_pusher_js_and_the_backend_of_npm(port):
    is_well(port, shutil.which("node"), ROOT / "tests/js/pusher_clients.mjs")


def test_the_backend_of_pypi(port):
    is_well(port, sys.executable, CLIENTS / "pypi_client.py")


def test_the_backend_of_go(port):
    is_well(port, CLIENTS / "go/target/clients")


def test_the_client_and_the_backend_of_java(port):
    is_well(port, shutil.which("java"), "-cp", f"{JAVA}/classes:{JAVA}/lib/*", "Clients")
