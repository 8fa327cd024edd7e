"""
Peers of other ZMTP. Pushers without libzmq speak ZMTP 3.0, which has no PING, and read the answer after a long silence.
A server that resets its connections ends no client.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stork_node.publish_server import PublishServer
from stork_node.transport import sockets
from tests.components.served import serving
from tests.malformed import document

CLIENTS = Path(__file__).parents[1] / "zmtp_clients"
# A folder that outlives a clone: Rust's dependencies take minutes to build.
BUILT = Path.home() / ".cache" / "stork-node-tests"
SILENCE_S = float(os.environ.get("STORK_TEST_SILENCE_S", "1"))
"""Several times as long as the heartbeats of these tests; a real minute was tried as well."""


def go() -> list[str]:
    return ["go", "build", "-o", str(BUILT / "go-push"), "."]


def rust() -> list[str]:
    return ["cargo", "build", "--locked", "--quiet", "--target-dir", str(BUILT / "rust")]


PROGRAMS = {"go": (go, BUILT / "go-push"), "rust": (rust, BUILT / "rust" / "debug" / "push")}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishServer]:
    """One whose PINGs, if it sent any, would come soon."""
    monkeypatch.setattr(sockets, "HEARTBEAT_INTERVAL_MS", 100)
    monkeypatch.setattr(sockets, "HEARTBEAT_TIMEOUT_MS", 300)
    with serving() as running:
        yield running


@pytest.mark.parametrize("language", PROGRAMS)
def test_a_pusher_without_libzmq_is_answered_after_a_silence(language: str, server: PublishServer) -> None:
    build, program = PROGRAMS[language]
    if shutil.which(build()[0]) is None:
        pytest.skip(f"{build()[0]} is not installed")
    BUILT.mkdir(parents=True, exist_ok=True)
    subprocess.run(build(), cwd=CLIENTS / language, check=True, timeout=900)
    with subprocess.Popen([program, server.router_endpoint], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as pusher:
        assert pusher.stdin
        assert pusher.stdout
        for number in range(3):
            pusher.stdin.write(document(id=f"push-{number}") + b"\n")
            pusher.stdin.flush()
            answer = json.loads(pusher.stdout.readline())
            assert (answer["ok"], answer["id"]) == (True, f"push-{number}")
            if number < 2:
                time.sleep(SILENCE_S)  # what would come meanwhile is the answer to nothing
        pusher.stdin.close()
        assert pusher.wait(10) == 0
    assert server.counters.accepted == 3


@pytest.mark.parametrize("kind", ["SUB", "DEALER"])
def test_a_reset_while_much_waits_does_not_end_the_client(kind: str) -> None:
    command = [sys.executable, "-m", "tests.components.reset_with_full_queue", kind]
    done = subprocess.run(command, cwd=CLIENTS.parents[1], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
