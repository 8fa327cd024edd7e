"""Runs the tests of stork.js, which are Node's own."""

import re
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent


def test_the_javascript_tests_pass() -> None:
    node = shutil.which("node")
    assert node, "node is missing: scripts/test installs it"
    assert (FOLDER / "node_modules/ws").is_dir(), "run npm ci in tests/js: scripts/test does"
    run = subprocess.run(
        [node, "--test", "--test-reporter=tap"], cwd=FOLDER, capture_output=True, text=True, timeout=300, check=False
    )
    passed = re.search(r"^# pass (\d+)$", run.stdout, re.MULTILINE)
    assert run.returncode == 0, run.stdout + run.stderr
    assert passed, run.stdout
    assert int(passed[1]) > 100, run.stdout
