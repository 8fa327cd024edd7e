"""Installing the PHP client with a real composer, offline, as an application would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from php_process import DEADLINE_S, PLAIN, ROOT
from router_double import RouterDouble

PACKAGE = "stork-node/push"
APPLICATION = """<?php
require __DIR__ . '/vendor/autoload.php';
final class OrderPaid extends Stork\\Message
{
    const TYPE = 'order_paid';
    public function getData() { return ['id' => 42]; }
}
Stork\\Stork::configure(['endpoint' => $argv[1]]);
echo Stork\\Stork::push('v1.orders.42', new OrderPaid());
"""


@pytest.fixture(autouse=True)
def _at_home_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = {
        "COMPOSER_HOME": str(tmp_path / "composer"),
        "COMPOSER_ALLOW_SUPERUSER": "1",
        "COMPOSER_NO_INTERACTION": "1",
    }
    author = {f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for name, value in (home | author).items():
        monkeypatch.setenv(name, value)


def run(command: list[str], directory: Path) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources(directory: Path) -> Path:
    """A repository like this project's, as composer sees it, with a file that no application wants."""
    directory.mkdir()
    for name in ("composer.json", "LICENSE"):
        shutil.copy(ROOT / name, directory / name)
    shutil.copytree(ROOT / "node/php", directory / "node/php")
    (directory / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/push.php", directory / "scripts/push.php")
    for other in (
        ".crossbar/app.py",
        "node/stork_node/__init__.py",
        "scripts/run",
        "tests/test_x.py",
        "pyproject.toml",
    ):
        (directory / other).parent.mkdir(exist_ok=True)
        (directory / other).write_text("# not for PHP\n")
    return directory


def install(directory: Path, repository: dict[str, Any], version: str) -> None:
    """An application that requires the package from this repository, and from nowhere else."""
    directory.mkdir()
    project = {"require": {PACKAGE: version}, "repositories": [repository, {"packagist.org": False}]}
    (directory / "composer.json").write_text(json.dumps(project))
    run(["composer", "install", "--no-progress"], directory)
    (directory / "app.php").write_text(APPLICATION)


def assert_pushes(directory: Path) -> None:
    with RouterDouble() as server:
        assert run([*PLAIN, "app.php", server.endpoint], directory) == "epoch:1"
        assert server.documents[0]["data"] == {"id": 42}


@pytest.mark.parametrize("folder", [ROOT, ROOT / "node/php"])
def test_composer_finds_nothing_wrong_with_composer_json(folder: Path) -> None:
    run(["composer", "validate", "--strict", "--no-check-lock", "--no-check-version"], folder)


def test_both_composer_json_say_the_same_with_the_version_of_the_release() -> None:
    whole, folder = (json.loads((ROOT / each / "composer.json").read_text()) for each in (".", "node/php"))
    assert whole.pop("autoload") == {"psr-4": {"Stork\\": "node/php/src/"}}
    assert folder.pop("autoload") == {"psr-4": {"Stork\\": "src/"}}
    assert folder.pop("version") == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    del whole["archive"]
    assert whole == folder


def documented(way: int) -> list[str]:
    """The command lines of the README: a clone and its path, or composer's own clone."""
    text = (ROOT / "node/php/README.md").read_text()
    return [line.removeprefix("$ ") for line in re.findall(r"```console\n(.*?)```", text, re.DOTALL)[way].splitlines()]


@pytest.mark.parametrize("way", [0, 1])
def test_the_lines_of_the_readme_install_it_from_git(tmp_path: Path, way: int) -> None:
    stork = sources(tmp_path / "stork")
    for command in (["init", "--quiet", "-b", "main"], ["add", "."], ["commit", "--quiet", "-m", "now"]):
        run(["git", *command], stork)
    app = tmp_path / "app"
    app.mkdir()
    (app / "composer.json").write_text(json.dumps({"repositories": {"packagist.org": False}}))
    for line in documented(way):
        run(["sh", "-c", line.replace("https://git.example.org/stork-node", f"file://{stork}")], app)
    (app / "app.php").write_text(APPLICATION)
    assert_pushes(app)
    if way == 0:
        assert {path.name for path in (app / "vendor" / PACKAGE).iterdir()} == {
            path.name for path in (ROOT / "node/php").iterdir()
        }


@pytest.mark.parametrize("symlink", [True, False])
@pytest.mark.parametrize(("folder", "version"), [("", "@dev"), ("node/php", "^0.1")])
def test_it_installs_from_a_path(tmp_path: Path, symlink: bool, folder: str, version: str) -> None:
    url = str((ROOT if symlink else sources(tmp_path / "stork")) / folder)
    install(tmp_path / "app", {"type": "path", "url": url, "options": {"symlink": symlink}}, version)
    assert (tmp_path / "app/vendor" / PACKAGE).is_symlink() == symlink
    assert_pushes(tmp_path / "app")


def test_it_installs_from_a_repository(tmp_path: Path) -> None:
    stork = sources(tmp_path / "stork")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "release"], ["tag", "v0.1.0"]):
        run(["git", *command], stork)
    install(tmp_path / "app", {"type": "vcs", "url": str(stork)}, "^0.1")
    assert_pushes(tmp_path / "app")
    script = tmp_path / "app/vendor" / PACKAGE / "scripts/push.php"
    assert run([*PLAIN, str(script), "--help"], tmp_path).startswith("Usage:")


def test_an_archive_holds_the_client_and_nothing_else(tmp_path: Path) -> None:
    stork = sources(tmp_path / "stork")
    run(["composer", "archive", "--format=tar", "--dir=.", "--file=package"], stork)
    with tarfile.open(stork / "package.tar") as archive:
        names = {name for name in archive.getnames() if archive.getmember(name).isfile()}
    client = {str(path.relative_to(ROOT)) for path in (ROOT / "node/php").rglob("*") if path.is_file()}
    assert names == {"composer.json", "LICENSE", "scripts/push.php"} | client


def test_the_autoloader_without_composer_knows_every_class() -> None:
    code = f"""
    require '{ROOT}/node/php/autoload.php';
    $sources = new RecursiveIteratorIterator(new RecursiveDirectoryIterator('{ROOT}/node/php/src'));
    foreach (new RegexIterator($sources, '/\\.php$/') as $file) {{
        if (str_contains($file, '/Laravel/')) continue;  // its base classes are Laravel's
        $class = 'Stork\\\\' . strtr(substr($file, strlen('{ROOT}/node/php/src/'), -4), '/', '\\\\');
        class_exists($class) || interface_exists($class) || print "$class is missing\\n";
    }}
    class_exists('Stork\\\\Nothing') && print 'Nothing is there';
    """
    assert run([*PLAIN, "-r", code], ROOT) == ""
