"""The load client in C against a scripted WebSocket server: what it counts is what was sent."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import pytest
from benchmarks import events
from benchmarks.errors import MeasurementFailed
from benchmarks.load_client import Address, LoadClient
from benchmarks.tools import compile_c
from websockets import ConnectionClosed, Subprotocol
from websockets.sync.server import Server, ServerConnection, serve

from tests.gateway import wait_for


@pytest.fixture(scope="module")
def program():
    return compile_c("load")


def _take_first(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return offered[0] if offered else None


class Scripted:
    """A server that greets each connection, and hears what it says."""

    def __init__(self) -> None:
        self._connections: queue.SimpleQueue[ServerConnection] = queue.SimpleQueue()
        self.heard: list[str | bytes] = []
        self.greeting: Callable[[ServerConnection], None] = lambda _: None
        self._server: Server = serve(self._serve, "127.0.0.1", 0, compression=None, select_subprotocol=_take_first)
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @cached_property
    def connection(self) -> ServerConnection:
        """The first one."""
        return self._connections.get(timeout=10)

    def _serve(self, connection: ServerConnection) -> None:
        self._connections.put(connection)
        self.greeting(connection)
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.heard.append(connection.recv())

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.close()


def subscribe(program, server, *, protocol="raw", subscribers=1):
    return LoadClient(program, Address(server.port, "/", protocol, "a-ticket"), subscribers)


def test_events_are_counted_and_times_taken(program, server):
    with subscribe(program, server) as load:
        load.count(2, latencies=True)
        pushed_ns = time.monotonic_ns() - 7_000_000_000
        server.connection.send(events.event(1, pushed_ns).decode())
        server.connection.send(events.event(2, pushed_ns).decode())
        counted = load.counted()
    assert (counted.received, counted.missing, counted.repeated, counted.ended) == (2, 0, 0, 0)
    assert pushed_ns < counted.first_ns <= counted.last_ns
    assert counted.max_us == (counted.last_ns - pushed_ns) // 1000


def test_several_events_in_one_frame_are_several(program, server):
    with subscribe(program, server) as load:
        load.count(3)
        server.connection.send(b"".join(events.event(number, 0) for number in (1, 2, 3)))
        assert load.counted().received == 3


@pytest.mark.parametrize("cut", [1, 24, 25, 30, 50, 51, 189])
def test_an_event_that_is_cut_in_two_frames_counts_once(program, server, cut):
    event = events.event(1, 0)
    with subscribe(program, server) as load:
        load.count(2)
        server.connection.send(event[:cut])
        server.connection.send(event[cut:])
        server.connection.send(events.event(2, 0))
        counted = load.counted()
    assert (counted.received, counted.missing, counted.repeated) == (2, 0, 0)


def test_what_was_left_out_and_what_came_twice_is_told(program, server):
    with subscribe(program, server) as load:
        load.count(3, quiet_s=0.3)
        for number in (1, 4, 4, 2):
            server.connection.send(events.event(number, 0))
        counted = load.counted()
    assert (counted.received, counted.missing, counted.repeated) == (2, 2, 2)


def test_subscribers_that_are_cut_are_told(program, server):
    with subscribe(program, server, subscribers=3) as load:
        load.count(1, quiet_s=0.3)
        server.connection.close()
        assert load.counted().ended == 1


def test_pings_are_answered(program, server):
    with subscribe(program, server):
        assert server.connection.ping().wait(5)


def test_counting_begins_anew_for_each_run(program, server):
    with subscribe(program, server) as load:
        for _ in range(2):
            load.count(1)
            server.connection.send(events.event(1, 0))
            counted = load.counted()
            assert (counted.received, counted.repeated) == (1, 0)


def test_a_session_is_joined_with_its_ticket_and_subscribed(program, server):
    server.greeting = lambda connection: [
        connection.send(text) for text in ('[4,"ticket",{}]', '[2,1,{"roles":{}}]', "[33,1,2]")
    ]
    with subscribe(program, server, protocol="wamp") as load:
        assert load.joined.joined == 1
    wait_for(lambda: len(server.heard) >= 3, "three messages of the client")  # the answers came before the questions
    hello, authenticate, subscribed = server.heard[:3]
    assert hello.startswith('[1,"realm1",{')
    assert '"authid":"user-0"' in hello
    assert authenticate == '[5,"a-ticket",{}]'
    assert subscribed == '[32,1,{},"v1.bench.0"]'


def test_a_refused_subscriber_is_an_error(program, server):
    server.greeting = lambda connection: connection.send('[3,{},"io.virge.stork.denied"]')
    with pytest.raises(MeasurementFailed, match="1 of 1 subscribers were refused"):
        subscribe(program, server, protocol="wamp")


def test_nobody_there_is_an_error(program, server):
    server.close()
    with pytest.raises(MeasurementFailed, match="1 of 1 subscribers were refused"):
        subscribe(program, server)
