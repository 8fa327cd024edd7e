"""Runs ``stork check`` in another process, for a parent that must not import Crossbar or the application."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from stork_node.application.summary import Summary
from stork_node.errors import ConfigError, Problem

_TIMEOUT_S = 60


def preflight(folder: Path, environ: Mapping[str, str], ports: str) -> Summary:
    """
    Check the configuration, the application, and that the ports of the ``node``, or ``all`` ports, are free.

    Returns:
        What the application declares.

    Raises:
        ConfigError: all problems.
    """
    # -P: a module in the user's current folder must not stand in for one of ours.
    command = [sys.executable, "-P", "-m", "stork_node", "check", "--report", "--ports", ports, "--config", str(folder)]
    try:
        checked = subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=_TIMEOUT_S)  # noqa: S603  # our own command
    except subprocess.TimeoutExpired:
        raise ConfigError([Problem(str(folder), f"app.py is not imported after {_TIMEOUT_S} s")]) from None
    try:
        report = json.loads(checked.stdout.splitlines()[-1])
        problems = [Problem(**problem) for problem in report["problems"]]
        application = Summary.parse(report["application"])
    except (IndexError, KeyError, ValueError, TypeError):
        # The application ended the process at its import, or this code has a bug.
        said = checked.stderr.strip() or f"stork check ended with status {checked.returncode} and without a word"
        problems, application = [Problem(str(folder), said)], Summary()
    if problems:
        raise ConfigError(problems)
    return application
