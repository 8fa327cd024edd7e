"""What ``stork up --watch`` takes for a change, and what it does then."""

import os
from pathlib import Path

import pytest

from stork_node.launcher import control
from stork_node.launcher.reloading import Reloader, SourceWatch, application_folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("app.py", "shop/orders.py", "config.json", "web/page.js", ".venv/x.py", "env/pyvenv.cfg", "env/y.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")
    return tmp_path


def settled(watch: SourceWatch) -> set[str]:
    """The changes, once nothing changes any more."""
    assert watch.changes() == set()
    return {path.name for path in watch.changes()}


def test_files_that_are_changed_added_and_removed_are_told_once(folder: Path) -> None:
    watch = SourceWatch([folder], folder / "config.json")
    assert settled(watch) == set()
    (folder / "app.py").write_text("22\n")
    (folder / "new.py").write_text("1\n")
    (folder / "shop/orders.py").unlink()
    (folder / "config.json").write_text("{}\n")
    assert settled(watch) == {"app.py", "new.py", "orders.py", "config.json"}
    assert settled(watch) == set()


def test_a_change_is_told_when_it_is_over(folder: Path) -> None:
    watch = SourceWatch([folder], folder / "config.json")
    for number in range(3):
        (folder / "app.py").write_text("x" * (number + 2))
        assert watch.changes() == set()
    assert watch.changes() == {folder / "app.py"}


def test_other_files_environments_and_hidden_folders_are_no_sources(folder: Path) -> None:
    watch = SourceWatch([folder], folder / "config.json")
    for name in ("web/page.js", ".venv/x.py", "env/y.py", "notes.txt"):
        (folder / name).write_text("changed\n")
    assert settled(watch) == set()


def test_a_touched_file_counts_even_where_its_size_stays(folder: Path) -> None:
    watch = SourceWatch([folder], folder / "config.json")
    os.utime(folder / "app.py", ns=(1, 1))
    assert settled(watch) == {"app.py"}


def test_the_folders_are_those_of_the_application(folder: Path) -> None:
    container = {"type": "container", "options": {"pythonpath": [str(folder), str(folder / "shop"), "/nowhere"]}}
    router = {"type": "router", "options": {"pythonpath": [str(folder / "web")]}}
    assert application_folders(folder, {"workers": [router, container]}) == [folder, folder / "shop"]


def test_a_change_of_code_reloads_and_one_of_the_configuration_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, str]] = []
    asked: list[bytes] = []
    monkeypatch.setattr(control, "find_sockets", lambda *_: [Path("gone.sock"), Path("node.sock")])

    def ask(path: Path, command: bytes) -> list[tuple[str, str]] | None:
        asked.append(command)
        return None if path.name == "gone.sock" else [("progress", "starting"), ("error", "app.py:1: SyntaxError")]

    monkeypatch.setattr(control, "ask", ask)
    reloader = Reloader(
        folder, SourceWatch([folder], folder / "config.json"), {}, lambda line, level: said.append((line, level))
    )
    (folder / "config.json").write_text("{}\n")
    reloader.look()
    reloader.look()
    assert (said, asked) == ([("config.json has changed: start stork again to use it", "warn")], [])
    (folder / "app.py").write_text("22\n")
    (folder / "shop/orders.py").write_text("22\n")
    reloader.look()
    reloader.look()
    assert asked == [control.RELOAD] * 2
    assert said[1:] == [
        ("app.py and 1 more changed", "info"),
        ("starting", "info"),
        ("app.py:1: SyntaxError", "warn"),
    ]
