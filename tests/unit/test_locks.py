"""The locks: scripts/lock writes them, and nobody forgets to."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["node"]]
DEV = PROJECT["dependency-groups"]["dev"]


def locked(name: str) -> dict[str, set[str]]:
    """The versions of each package in a lock; more than one where markers choose."""
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", (ROOT / name).read_text(), re.MULTILINE):
        versions.setdefault(package, set()).add(version)
    return versions


def package(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements-build.lock", [*PROJECT["build-system"]["requires"], "setuptools", "wheel", "editables"]),
        ("requirements.lock", RUN),
        ("requirements-dev.lock", [*RUN, *DEV]),
    ],
)
def test_a_lock_has_what_pyproject_asks_for(lock: str, requirements: list[str]) -> None:
    assert {package(requirement) for requirement in requirements} - set(locked(lock)) == set()


def test_what_is_tested_is_what_runs() -> None:
    dev = locked("requirements-dev.lock")
    assert {name: dev.get(name) for name in locked("requirements.lock")} == locked("requirements.lock")


@pytest.mark.parametrize("lock", ["requirements-build.lock", "requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_released_versions_with_their_hashes_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "index" not in text
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    versions = [version for versions in locked(lock).values() for version in versions]
    assert [version for version in versions if re.search(r"\d(a|b|rc|\.dev)\d", version)] == []
