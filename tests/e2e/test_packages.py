"""The sdist and the wheel, installed in an empty environment without the lock, as ``pip install`` does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway import ROOT, Process, free_ports

BIN = Path(sys.executable).parent
PORTS = ["STORK_PORT", "STORK_OPERATOR_PORT", *(f"STORK_{name}_PORT" for name in ("PULL", "PUB", "ROUTER", "REPLAY"))]


def run(command: list[object], **options: object) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("STORK_", "PYTHON"))}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environ, timeout=900, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment, with the sdist in it and all that the extra ``node`` asks for."""
    folder = tmp_path_factory.mktemp("packages")
    run([BIN / "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", folder / "dist"], cwd=ROOT)
    run([BIN / "uv", "venv", "--quiet", "--python", sys.executable, folder / "venv"])
    [sdist] = (folder / "dist").glob("*.tar.gz")
    install(folder / "venv", f"{sdist}[node]")
    return folder


def install(venv: Path, *what: object) -> None:
    # Outside of the repository, so that neither its lock nor its overrides count.
    run([BIN / "uv", "--no-progress", "pip", "install", "--python", venv / "bin/python", *what], cwd=venv)


def test_the_sdist_starts_cleanly(installed: Path, tmp_path: Path) -> None:
    stork = installed / "venv/bin/stork"
    assert f"  {stork} up " in run([stork, "init"], cwd=tmp_path)
    environ = os.environ | dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True)) | {"STORK_TICKET": ""}
    up = Process([str(stork), "up"], tmp_path / "up.log", environ, tmp_path)
    try:
        up.wait_for_line("Ctrl-C ends it", 60)
        [push] = [line.removeprefix("  Push  ") for line in up.log.splitlines() if line.startswith("  Push")]
        assert run(["sh", "-c", push], cwd=tmp_path)
    finally:
        assert up.stop() == 0
    assert "NumPy" not in up.log
    assert "Traceback" not in up.log


def test_the_wheel_has_all_that_the_sdist_has(installed: Path, tmp_path: Path) -> None:
    [wheel] = (installed / "dist").glob("*.whl")
    install(installed / "venv", "--reinstall-package", "stork-node", "--no-deps", wheel)
    stork = installed / "venv/bin/stork"
    run([stork, "init"], cwd=tmp_path)
    assert run([stork, "check"], cwd=tmp_path) == ".crossbar/config.json is fine, and so is the application\n"
