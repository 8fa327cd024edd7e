"""``Publisher`` in processes that gevent or eventlet has patched: while a push waits, the other green threads run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.components.served import serving

ROOT = Path(__file__).parents[2]
PATCHES = {
    "gevent": "from gevent import monkey\nmonkey.patch_all()\n",
    "eventlet": "import eventlet\neventlet.monkey_patch()\n",
}
# A server that takes connections and answers nothing: each push waits for its whole time-out.
PROGRAM = """
import socket, sys, threading, time
from stork_node import NotConfirmed, Publisher

turns = {"before": 0, "meanwhile": 0}
waiting = 0

def other_work():
    while True:
        turns["meanwhile" if waiting else "before"] += 1
        time.sleep(0.001)

def push(publisher, number, outcomes):
    global waiting
    waiting += 1
    try:
        publisher.push("v1.test.1", type="t", data="x" * 100_000)
    except NotConfirmed as error:
        outcomes.append(error.cause)
    waiting -= 1

threading.Thread(target=other_work, daemon=True).start()
silent = socket.create_server(("127.0.0.1", 0))
endpoint = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
outcomes = []
with Publisher(endpoint, timeout_ms=500) as publisher:
    pushes = [threading.Thread(target=push, args=(publisher, number, outcomes)) for number in range(5)]
    [each.start() for each in pushes]
    [each.join() for each in pushes]
assert turns["meanwhile"] > 10, turns
assert [outcome.startswith("no answer") for outcome in outcomes] == [True] * 5, outcomes

turns["meanwhile"] = 0
with Publisher(endpoint, timeout_ms=300, answered=False, linger_ms=0) as publisher:
    outcomes.clear()
    while not outcomes:
        push(publisher, 0, outcomes)
assert turns["meanwhile"] > 10, turns
assert outcomes == ["nobody takes pushes there, and the queue is full"], outcomes

router, pull = sys.argv[1:]
with Publisher(router, timeout_ms=20_000) as publisher:
    positions = publisher.push_many({"topics": "v1.test.1", "type": "t", "data": n} for n in range(1500))
with Publisher(pull, answered=False) as publisher:
    publisher.push("v1.test.1", type="t")
print(positions[-1].rpartition(":")[2])
"""


@pytest.mark.parametrize("library", PATCHES)
def test_other_green_threads_run_while_a_push_waits(library: str) -> None:
    with serving() as server:
        done = subprocess.run(
            [sys.executable, "-c", PATCHES[library] + PROGRAM, server.router_endpoint, server.pull_endpoint],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "1500\n"
