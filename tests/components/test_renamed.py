"""Each private name is taken away, as an upgrade of Crossbar, autobahn or Twisted may: ``tests/renamed`` does it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stork_crossbar.internals.private_names import NODE, PRIVATE_NAMES
from tests.book import DOCS, ROOT, tables

NEEDED = sorted({name.name for name in PRIVATE_NAMES if name.part == NODE})
# Those that are used without being needed have a test with a node each: tests/e2e/test_renamed.py.
OTHERS = sorted({name.name for name in PRIVATE_NAMES} - set(NEEDED))
RENAMED = ROOT / "tests/renamed"


def stork(*arguments: str, renamed: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "PYTHONPATH": str(RENAMED), "RENAMED": renamed, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(Path(sys.executable).with_name("stork")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environ, cwd=ROOT, timeout=120, check=False)


@pytest.mark.parametrize("name", NEEDED)
def test_without_a_name_that_it_needs_a_node_is_refused_by_a_sentence(name):
    refused = stork("check", renamed=name)
    assert refused.returncode == 2
    assert "stork: crossbar: the node does not start with crossbar" in refused.stderr
    assert f".{name}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_check_passes_when_no_name_that_is_used_is_renamed():
    assert stork("check", renamed="_no_such_name").returncode == 0


def test_the_report_has_a_line_for_each_part():
    report = stork("check", "--crossbar", renamed="_poller")
    assert report.returncode == 0
    states = [line.split()[0] for line in report.stdout.splitlines()[1:]]
    assert states.count("off") == 1
    assert len(states) == len({name.part for name in PRIVATE_NAMES})


def test_the_book_has_a_row_for_each_name():
    rows = [
        row
        for table in tables(DOCS / "crossbar.md", "name", "in", "what for", "checked by", "without it")
        for row in table
    ]
    described = {part for row in rows for part in row["name"].strip("`").split(".")}
    assert {name.name for name in PRIVATE_NAMES} - described == set()
