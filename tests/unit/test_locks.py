"""uv.lock: scripts/lock writes it, and nobody forgets to."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pinned import pinned

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
[OURS] = [each for each in PACKAGES if each["name"] == "stork-node"]
OTHERS = [each for each in PACKAGES if each is not OURS]


def package(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def packages(requirements: list[str]) -> set[str]:
    return {package(each) for each in requirements}


def test_the_lock_has_what_pyproject_asks_for() -> None:
    def names(entries: list[dict[str, Any]]) -> set[str]:
        return {each["name"] for each in entries}

    assert names(OURS["dependencies"]) == packages(PROJECT["project"]["dependencies"])
    for extra, requirements in PROJECT["project"]["optional-dependencies"].items():
        assert names(OURS["optional-dependencies"][extra]) == packages(requirements)
    for group, requirements in PROJECT["dependency-groups"].items():
        assert names(OURS["dev-dependencies"][group]) == packages(requirements)


def test_uv_finds_nothing_to_add_to_the_lock() -> None:
    """uv would have to ask an index, which cannot answer here."""
    command = [ROOT / ".venv/bin/uv", "lock", "--check", "--offline", "--python", ROOT / ".venv/bin/python"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_lock_has_released_versions_with_their_hashes() -> None:
    files = [file for each in OTHERS for file in [*each.get("wheels", []), *filter(None, [each.get("sdist")])]]
    assert [file["url"] for file in files if not re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"])] == []
    assert [each for each in OTHERS if re.search(r"\d(a|b|rc|\.dev)\d", each["version"])] == []


def test_the_lock_names_one_index_without_a_password() -> None:
    [index] = {each["source"]["registry"] for each in OTHERS}
    assert re.fullmatch(r"https://[a-z.]+/simple", index)


def test_what_comes_as_source_is_built_with_locked_tools() -> None:
    sources = {each["name"] for each in OTHERS if not each.get("wheels")}
    assert set(PROJECT["tool"]["uv"]["no-build-isolation-package"]) == sources | {"stork-node"}
    assert packages(PROJECT["build-system"]["requires"]) <= packages(PROJECT["dependency-groups"]["setup"])


@pytest.mark.parametrize(("name", "folder"), [("bjdata", "bjdata"), ("py-ubjson", "ubjson")])
def test_extensions_that_want_numpy_are_not_built(name: str, folder: str) -> None:
    assert name in PROJECT["tool"]["uv"]["extra-build-variables"]
    assert list((ROOT / ".venv").glob(f"lib/python*/site-packages/_{folder}*.so")) == []
    assert list((ROOT / ".venv").glob(f"lib/python*/site-packages/{folder}/*.so")) == []


def test_pip_gets_the_locked_uv_by_its_hashes() -> None:
    version, *hashes = pinned("uv").split()
    [locked] = [each for each in PACKAGES if each["name"] == "uv"]
    assert version == f"uv=={locked['version']}"
    assert hashes == [f"--hash={wheel['hash']}" for wheel in locked["wheels"]]
    assert len(hashes) > 10
