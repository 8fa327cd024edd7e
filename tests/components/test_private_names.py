"""
The tables of the book's page on Crossbar, beside the installed Crossbar, and beside the code.

A name that is not there any more fails here after an upgrade, with the row that says what it was for. A private name in
the code that has no row fails as well.
"""

import ast
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.book import DOCS, ROOT, tables

ROWS = [
    row for table in tables(DOCS / "crossbar.md", "name", "in", "what for", "checked by", "without it") for row in table
]
_LIST = ROOT / "node/stork_crossbar/internals/private_names.py"
SOURCES = [*(ROOT / "node").rglob("*.py"), *(ROOT / "components").rglob("*.py")]
SOURCES.remove(_LIST)  # which names them only
WAYS = {"signature", "value", "self test", "table", "use"}
# Private to Python, not to Crossbar, autobahn and Twisted; and words of ours in records of the log.
_PYTHONS = {"_exit", "_getframe", "_current_frames"}
_DJANGOS = {"_default_manager"}  # documented by Django, for applications
_WORDS = {"_STORK_PUSH_COMMANDS", "_about", "_age_seconds", "_bjdata", "_configure_native_worker_", "_logging", "_util"}


def name_of(row: Any) -> str:
    return str(row["name"].strip("`"))


# Prints the names that are not there. An attribute of an object is on no class: then a module that the class, or one of
# those that it is made of, comes from must use it. In a process of its own, as it installs a reactor.
LOOK = r"""
import importlib, inspect, json, re, sys
from autobahn.twisted.choosereactor import install_reactor
install_reactor(None, False, require_optimal_reactor=False)
import crossbar
crossbar._import_serializers_quietly()

def owner_of(parts):
    for end in range(len(parts) - 1, 0, -1):
        try:
            owner = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:-1]:
            owner = getattr(owner, part)
        return owner

def is_there(name):
    *_, last = parts = name.split(".")
    owner = owner_of(parts)
    if hasattr(owner, last):
        return True
    modules = {each.__module__ for each in getattr(owner, "__mro__", ()) if each is not object}
    return any(re.search(rf"\b{last}\b", inspect.getsource(sys.modules[module])) for module in modules)

print(json.dumps([name for name in json.load(sys.stdin) if not is_there(name)]))
"""


def gone(names: list[str]) -> list[str]:
    done = subprocess.run([sys.executable, "-c", LOOK], input=json.dumps(names), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_there_is_one_row_for_each_name():
    names = [name_of(row) for row in ROWS]
    assert len(names) > 100
    assert sorted(set(names)) == sorted(names)


def test_every_name_is_there_in_the_installed_packages():
    no_such = "crossbar.router.router.Router._no_such_thing"
    assert gone([*map(name_of, ROWS), no_such]) == [no_such]


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_row_is_whole_and_names_the_files_that_use_it(row):
    assert row["what for"]
    assert row["without it"]
    assert set(row["checked by"].split(", ")) <= WAYS
    last = name_of(row).rpartition(".")[2]
    files = re.findall(r"`([\w./]+\.py)`", row["in"])
    assert files
    assert [file for file in files if not re.search(rf"\b{last}\b", (ROOT / file).read_text())] == []


def test_what_is_checked_by_its_signature_is_expected_somewhere():
    expected = {name for source in SOURCES for name in expected_in(ast.parse(source.read_text()))}
    signed = {name_of(row).rpartition(".")[2] for row in ROWS if "signature" in row["checked by"].split(", ")}
    assert signed - {"set_websocket_options", "_dumps"} <= expected | looked_up_first()


def test_every_private_name_in_the_code_has_a_row():
    known = {name_of(row).rpartition(".")[2] for row in ROWS} | _PYTHONS | _DJANGOS | _WORDS
    trees = {source: ast.parse(source.read_text()) for source in SOURCES}
    own = {name for tree in trees.values() for name in defined_in(tree)}
    missing: dict[str, set[str]] = defaultdict(set)
    for source, tree in trees.items():
        for name in used_in(tree):
            if name not in own and name not in known and not name.startswith("_stork"):
                missing[name].add(source.name)
        for name in expected_in(tree):
            if name not in known:
                missing[name].add(source.name)
    assert missing == {}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name.isidentifier()


def used_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        name = ""
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        elif isinstance(node, ast.alias):
            name = node.name.rpartition(".")[2]
        if is_private(name):
            yield name


def defined_in(tree: ast.AST) -> Iterator[str]:
    """The names that the code defines, also on its own objects: the name alone does not tell them apart."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                yield name


def expected_in(tree: ast.AST) -> Iterator[str]:
    """The last part of each function that is given to ``known.require_signature``."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="require_signature"), args=[ast.Attribute(attr=name), *_]):
                yield name


def looked_up_first() -> set[str]:
    """Functions that are given to ``require_signature`` by a variable: ``ordinary = Class.function``."""
    found = set()
    for source in SOURCES:
        text = source.read_text()
        if "require_signature(ordinary" in text or "require_signature(begin" in text:
            found |= set(re.findall(r"\b(?:ordinary|begin)\b.* = \S*?\.(\w+)$", text, re.MULTILINE))
    return found
