"""The wall clock is set while a push waits for its answer: nothing comes of it."""

import os
import subprocess
import sys

import msgspec
import pytest
import zmq

from stork_node.protocol.answers import encode_stored
from stork_node.protocol.positions import Position
from tests.components.served import ANY, DEADLINE_S
from tests.settable_clock import SettableClock

DAY = 86_400
PUSHES = {
    "Publisher": """
import sys
from stork_node import NotConfirmed, Publisher
with Publisher(sys.argv[1], int(sys.argv[2])) as publisher:
    try:
        print(publisher.push("v1.a.1", "t"))
    except NotConfirmed:
        print("NotConfirmed")
""",
    "AsyncPublisher": """
import asyncio, sys
from stork_node import AsyncPublisher, NotConfirmed
async def push():
    async with AsyncPublisher(sys.argv[1], int(sys.argv[2])) as publisher:
        try:
            print(await publisher.push("v1.a.1", "t"))
        except NotConfirmed:
            print("NotConfirmed")
asyncio.run(push())
""",
}
pytestmark = [pytest.mark.parametrize("name", PUSHES), pytest.mark.parametrize("step", [-DAY, -1, 1, DAY])]


@pytest.fixture
def clock(tmp_path):
    return SettableClock(tmp_path)


@pytest.fixture
def server():
    """A publish server that hears, and answers as a test says."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.linger, socket.rcvtimeo = 0, int(DEADLINE_S * 1000)
    socket.bind(ANY)
    yield socket
    context.destroy(linger=0)


def start(name, clock, server, timeout_ms):
    """A program that pushes once, and says what has become of it."""
    endpoint = server.getsockopt_string(zmq.LAST_ENDPOINT)
    command = [sys.executable, "-c", PUSHES[name], endpoint, str(timeout_ms)]
    environ = {**os.environ, **clock.environ}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)


def test_a_push_goes_on_waiting_and_is_sent_again(name, step, clock, server):
    with start(name, clock, server, 20_000) as pushing:
        server.recv_multipart()
        clock.set(step)
        sender, frame = server.recv_multipart()
        answer = encode_stored(msgspec.json.decode(frame)["id"], Position("epoch", 1))
        server.send_multipart([sender, answer])
        assert pushing.communicate(timeout=DEADLINE_S)[0] == "epoch:1\n"


def test_a_push_is_given_up(name, step, clock, server):
    with start(name, clock, server, 1000) as pushing:
        first = server.recv_multipart()
        clock.set(step)
        assert pushing.communicate(timeout=DEADLINE_S)[0] == "NotConfirmed\n"
        assert server.recv_multipart()[1] == first[1]
