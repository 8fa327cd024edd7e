"""Crossbar is imported before all else: what it imports warns of much, and warnings are errors in tests."""

from collections.abc import Callable, Iterator

import pytest

from tests.components import router_inside
from tests.components.forking import Forker

__all__ = ["router_inside"]

# Importing the personality puts Crossbar's parts together for good, so that each test has a process of its own.
PREPARED = """
from autobahn.twisted.choosereactor import install_reactor
install_reactor(None, False, require_optimal_reactor=False)
import stork_crossbar.personality
from stork_crossbar.connections import connection_memory
from stork_crossbar.opening import websocket_fast_path, websockets
from stork_crossbar.personality import direct_guard, patches
from stork_crossbar.personality.patches import PATCHES, Patch, apply_patches
from twisted.logger import formatEvent, globalLogPublisher
said = []
globalLogPublisher.addObserver(lambda event: said.append(formatEvent(event)))
"""


@pytest.fixture(scope="session")
def run_script() -> Iterator[Callable[[str], str]]:
    """Runs a script where the personality is imported; returns what it prints."""
    forker = Forker(PREPARED)

    def run(script: str) -> str:
        done = forker.run(script)
        assert done.returncode == 0, done.stderr
        return str(done.stdout).strip()

    yield run
    forker.close()
