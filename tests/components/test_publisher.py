import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import zmq

from stork_node.clients.publisher import Publisher
from stork_node.clients.push_connections import MAX_IDLE
from stork_node.errors import ConfigError, InvalidPush, NotConfirmed, PushFailed, PushRefused
from stork_node.protocol.answers import encode_refused, encode_stored, encode_tail
from stork_node.protocol.bus import PushFrame, decode_frame
from stork_node.protocol.positions import Position
from stork_node.protocol.push import PositionRequest, Push, decode_request
from stork_node.publish_server import PublishServer
from tests.components.served import ANY, DEADLINE_S, Peer, peer, serving, settings, wait_for
from tests.malformed import NOW

LONG_MS = int(DEADLINE_S * 1000)
NOBODY = "tcp://127.0.0.1:9"  # the discard port: nothing listens


def sequences(positions: list[str]) -> list[int]:
    return [Position.parse(position).sequence for position in positions]


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


@pytest.fixture
def publisher(server):
    with Publisher(server.router_endpoint, LONG_MS) as open_publisher:
        yield open_publisher


@contextmanager
def followed(server: PublishServer) -> Iterator[Peer]:
    """A subscriber of the bus that gets what is pushed from now on."""
    with peer(zmq.SUB, server.pub_endpoint) as subscriber:
        subscriber.recv()
        yield subscriber


def next_push(subscriber: Peer) -> PushFrame:
    while not isinstance(frame := decode_frame(subscriber.recv()), PushFrame):
        pass
    return frame


def test_a_push_returns_its_position_once_it_is_stored(server, publisher):
    with followed(server) as subscriber:
        position = publisher.push(
            ["v1.orders.42", "v1.user.7"], type="order_paid", data={"id": 42}, exclude=[5], store=False, timestamp=NOW
        )
        frame = next_push(subscriber)
    assert position == str(frame.position) == publisher.position()
    assert (frame.topics, frame.exclude, frame.store) == (("v1.orders.42", "v1.user.7"), (5,), False)
    assert frame.event == b'{"type":"order_paid","data":{"id":42},"timestamp":"2026-01-31T12:00:00.000Z"}'


def test_one_topic_may_be_given_as_a_text(server, publisher):
    with followed(server) as subscriber:
        publisher.push("v1.orders.42", "t")
        assert next_push(subscriber).topics == ("v1.orders.42",)


def test_an_id_that_was_pushed_before_gets_the_first_position(publisher):
    first = publisher.push("v1.a.1", "t", id="order-42-paid")
    assert publisher.push("v1.a.1", "t") != first
    assert publisher.push("v1.a.1", "t", id="order-42-paid") == first


def test_an_invalid_push_is_not_sent(publisher):
    before = publisher.position()
    with pytest.raises(InvalidPush) as caught:
        publisher.push(["v1.a.1", "nonsense"], "t")
    assert str(caught.value) == (
        "invalid push: topics[1]: 'nonsense' is not a topic: 1 parts where version.feed.id has 3"
    )
    assert publisher.position() == before


@dataclass
class OrderPaid:
    topics: str
    data: object
    type: str = "order_paid"


def test_many_are_pushed_in_order_in_one_go(server, publisher):
    with followed(server) as subscriber:
        pushes: list[object] = [{"topics": ["v1.a.1"], "type": str(i), "data": i} for i in range(2500)]
        positions = publisher.push_many([*pushes, OrderPaid("v1.a.1", "last")])
        frames = [next_push(subscriber) for _ in range(2501)]
    assert positions == [str(frame.position) for frame in frames]
    assert [b'"data":%d,' % i in frame.event for i, frame in enumerate(frames[:-1])] == [True] * 2500
    assert b'"order_paid"' in frames[-1].event
    assert sequences(positions) == list(range(sequences(positions)[0], sequences(positions)[0] + 2501))


def test_none_of_many_is_sent_when_one_is_invalid(publisher):
    before = publisher.position()
    with pytest.raises(InvalidPush) as caught:
        publisher.push_many([{"topics": "v1.a.1", "type": "t"}, {"topics": "v1.a.1", "type": ""}])
    assert caught.value.reason == "pushes[1].type: expected a string of length >= 1"
    assert publisher.position() == before
    assert publisher.push_many([]) == []
    with pytest.raises(TypeError, match="5 is neither a mapping nor a dataclass"):
        publisher.push_many([5])


def test_equal_ids_among_many_are_stored_once(publisher):
    first, other, again = publisher.push_many(
        [{"topics": "v1.a.1", "type": "t", "id": id_} for id_ in ("same", "other", "same")]
    )
    assert first == again != other


def test_threads_share_a_publisher(publisher):
    with ThreadPoolExecutor(8) as threads:
        rounds = list(threads.map(lambda n: [publisher.push(f"v1.a.{n}", "t", n) for _ in range(50)], range(16)))
    numbers = [sequences(positions) for positions in rounds]
    assert all(mine == sorted(mine) for mine in numbers)
    assert len({number for mine in numbers for number in mine}) == 16 * 50


def test_a_crowd_of_threads_leaves_a_few_connections_open(server):
    with Publisher(server.router_endpoint, LONG_MS) as publisher, ThreadPoolExecutor(60) as threads:
        together = threading.Barrier(60, timeout=DEADLINE_S)

        def push(n: int) -> str:
            together.wait()
            return publisher.push(f"v1.a.{n}", "t")

        for _ in range(3):
            assert len(set(threads.map(push, range(60)))) == 60
        assert 1 <= len(publisher._connections[os.getpid()]._idle) <= MAX_IDLE


def test_a_publish_server_that_is_not_there_is_not_confirmed_in_time():
    with Publisher(NOBODY, timeout_ms=100) as publisher:
        for ask in (lambda: publisher.push("v1.a.1", "t"), publisher.position):
            with pytest.raises(NotConfirmed) as caught:
                ask()
            assert str(caught.value).startswith(f"push not confirmed by {NOBODY} within 100 ms: no")
            assert "(is the publish server running there" in str(caught.value)


def test_a_push_waits_for_a_publish_server_that_is_starting():
    with serving() as gone:
        free = gone.router_endpoint
    with Publisher(free, LONG_MS) as publisher, ThreadPoolExecutor(1) as threads:
        pushed = threads.submit(publisher.push, "v1.a.1", "t")
        with serving(settings(router=free)):
            assert Position.parse(pushed.result(DEADLINE_S)).sequence == 1


def test_a_publisher_survives_a_restart_of_the_publish_server():
    with serving() as first:
        endpoint = first.router_endpoint
        publisher = Publisher(endpoint, LONG_MS)
        before = publisher.push("v1.a.1", "t")
    with publisher, serving(settings(router=endpoint)):
        after = publisher.push("v1.a.1", "t")
        assert Position.parse(after).sequence == 1
        assert Position.parse(after).epoch != Position.parse(before).epoch


# --- a publish server that misbehaves --------------------------------------------------------------------------------


class Double:
    """Takes what a publisher sends, and answers as the test says."""

    def __init__(self, router: Peer) -> None:
        self._router = router

    def take(self) -> tuple[bytes, Push | PositionRequest]:
        """The next document, and whom to answer."""
        routing_id, frame = self._router.recv_multipart()
        return routing_id, decode_request(frame, NOW)

    def take_push(self) -> tuple[bytes, str]:
        """The next push: whom to answer, and its id."""
        routing_id, push = self.take()
        assert isinstance(push, Push)
        assert push.id
        return routing_id, push.id

    def answer(self, routing_id: bytes, answer: bytes) -> None:
        self._router.send_multipart([routing_id, answer])


@contextmanager
def double() -> Iterator[tuple[Double, str]]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger, router.rcvtimeo = 0, LONG_MS
        port = router.bind_to_random_port("tcp://127.0.0.1")
        yield Double(router), f"tcp://127.0.0.1:{port}"


def at(sequence: int) -> Position:
    return Position("e", sequence)


def test_a_push_without_an_answer_is_sent_again_with_the_same_id():
    with double() as (server, endpoint), Publisher(endpoint, 2000) as publisher, ThreadPoolExecutor(1) as threads:
        pushed = threads.submit(publisher.push, "v1.a.1", "t")
        _, first_id = server.take_push()
        routing_id, second_id = server.take_push()
        assert first_id == second_id
        server.answer(routing_id, encode_stored(second_id, at(7), duplicate=True))
        assert pushed.result() == "e:7"


def test_warnings_are_told_once_and_are_in_the_position():
    told: list[str] = []
    with (
        double() as (server, endpoint),
        Publisher(endpoint, warn=told.append) as publisher,
        ThreadPoolExecutor(1) as threads,
    ):
        for _ in range(2):
            pushed = threads.submit(publisher.push, "v1.oders.1", "t", 2**53 + 1)
            routing_id, id = server.take_push()
            server.answer(routing_id, encode_stored(id, at(7), warning="nobody can get it"))
            assert pushed.result().warning == "nobody can get it"
    rounded = "JavaScript rounds integers beyond 2^53, so send it as a string"
    assert told == [f"a push holds the integer 9007199254740993: {rounded}", "nobody can get it"]


def test_an_unanswered_push_tells_of_integers_too(server):
    told: list[str] = []
    with Publisher(server.pull_endpoint, answered=False, warn=told.append) as publisher:
        publisher.push_many([{"topics": "v1.a.1", "type": "t", "data": data} for data in (1, -(2**53) - 1, 2**60)])
    assert len(told) == 1
    assert told[0].startswith("a push holds the integer -9007199254740993: ")


def test_an_answer_to_an_abandoned_attempt_is_not_taken_for_a_later_push():
    with double() as (server, endpoint), Publisher(endpoint, 200) as publisher, ThreadPoolExecutor(1) as threads:
        with pytest.raises(NotConfirmed):
            publisher.push("v1.a.1", "lost", id="same")
        publisher._timeout_ms = LONG_MS
        pushed = threads.submit(publisher.push, "v1.a.1", "later", id="same")
        attempts = []
        while True:
            routing_id, push = server.take()
            assert isinstance(push, Push)
            if push.type == "later":
                break
            attempts.append(routing_id)
        for lost in attempts:
            server.answer(lost, encode_refused("same", "storage_failed", "an old story"))
        server.answer(routing_id, encode_stored("same", at(8)))
        assert attempts
        assert pushed.result() == "e:8"


def test_a_late_position_is_not_taken_for_a_later_one():
    with double() as (server, endpoint), Publisher(endpoint, 200) as publisher, ThreadPoolExecutor(1) as threads:
        with pytest.raises(NotConfirmed):
            publisher.position()
        publisher._timeout_ms = LONG_MS
        pushed = threads.submit(publisher.push, "v1.a.1", "later")
        lost = []
        while isinstance((taken := server.take())[1], PositionRequest):
            lost.append(taken[0])
        assert lost
        server.answer(taken[0], encode_stored(taken[1].id, at(7)))
        assert pushed.result() == "e:7"
        asked = threads.submit(publisher.position)
        routing_id, request = server.take()
        assert request == PositionRequest()
        for late in lost:
            server.answer(late, encode_tail(at(1)))
        server.answer(routing_id, encode_tail(at(8)))
        assert asked.result() == "e:8"


def test_answers_that_belong_to_nothing_are_passed_over():
    with double() as (server, endpoint), Publisher(endpoint, LONG_MS) as publisher, ThreadPoolExecutor(1) as threads:
        pushed = threads.submit(publisher.push, "v1.a.1", "t")
        routing_id, id_ = server.take_push()
        for answer in (b"garbage", encode_stored("another", at(1)), encode_tail(at(2)), encode_stored(id_, at(3))):
            server.answer(routing_id, answer)
        assert pushed.result() == "e:3"


def test_a_refusal_by_the_publish_server_is_an_error_with_its_reason():
    with double() as (server, endpoint), Publisher(endpoint, LONG_MS) as publisher, ThreadPoolExecutor(1) as threads:
        pushed = threads.submit(publisher.push, "v1.a.1", "t")
        routing_id, id_ = server.take_push()
        server.answer(routing_id, encode_refused(id_, "storage_failed", "no space left on device"))
        with pytest.raises(PushRefused) as caught:
            pushed.result()
    assert str(caught.value) == "push refused (storage_failed): no space left on device"


def test_the_refusal_of_one_among_many_is_raised_when_all_are_answered():
    with double() as (server, endpoint), Publisher(endpoint, LONG_MS) as publisher, ThreadPoolExecutor(1) as threads:
        pushed = threads.submit(publisher.push_many, [{"topics": "v1.a.1", "type": "t"}] * 3)
        taken = [server.take_push() for _ in range(3)]
        for i, (routing_id, id_) in enumerate(taken):
            refused = encode_refused(id_, "storage_failed", "full")
            server.answer(routing_id, refused if i == 1 else encode_stored(id_, at(i)))
        with pytest.raises(PushRefused):
            pushed.result()


def test_closing_ends_the_pushes_that_wait_in_other_threads():
    with double() as (server, endpoint), ThreadPoolExecutor(1) as threads:
        publisher = Publisher(endpoint, LONG_MS)
        pushed = threads.submit(publisher.push, "v1.a.1", "t")
        server.take()
        publisher.close()
        with pytest.raises(NotConfirmed, match="the publisher was closed"):
            pushed.result(DEADLINE_S)
        with pytest.raises(PushFailed, match="the publisher is closed"):
            publisher.push("v1.a.1", "t")
        publisher.close()


# --- fire and forget -------------------------------------------------------------------------------------------------


def test_fire_and_forget_returns_nothing_and_keeps_the_order(server):
    with followed(server) as subscriber, Publisher(server.pull_endpoint, answered=False) as publisher:
        assert publisher.push("v1.a.1", "0") == ""
        assert publisher.push_many([{"topics": "v1.a.1", "type": str(i)} for i in range(1, 100)]) == [""] * 99
        types = [next_push(subscriber).event for _ in range(100)]
        assert [b'"type":"%d"' % i in event for i, event in enumerate(types)] == [True] * 100
        with pytest.raises(PushFailed, match="is told no positions"):
            publisher.position()


def test_fire_and_forget_from_many_threads_loses_nothing(server):
    before = server.counters.accepted
    with Publisher(server.pull_endpoint, answered=False) as publisher, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: [publisher.push("v1.a.1", "t") for _ in range(100)], range(8)))
    wait_for(lambda: server.counters.accepted == before + 800, "the pushes")


def test_fire_and_forget_to_nobody_fails_when_the_queue_is_full():
    with Publisher(NOBODY, timeout_ms=50, answered=False, linger_ms=0) as publisher:
        with pytest.raises(NotConfirmed) as caught:
            publisher.push_many([{"topics": "v1.a.1", "type": "t"}] * 5000)
        assert str(caught.value) == (
            f"push not confirmed by {NOBODY} within 50 ms: nobody takes pushes there, and the queue is full"
        )


def test_an_endpoint_that_is_none_is_an_error_at_once():
    with pytest.raises(ConfigError) as caught:
        Publisher("localhost:5557")
    assert str(caught.value) == "endpoint: 'localhost:5557' is not an endpoint (want tcp://HOST:PORT)"
    with pytest.raises(ConfigError, match="timeout_ms: 0 is no time to wait for an answer"):
        Publisher(timeout_ms=0)


# --- processes -------------------------------------------------------------------------------------------------------


def run_python(code: str, *arguments: str, ignore: str = "ignore::FutureWarning") -> str:
    """The output of a program, which must end with status 0, and without a warning except those to ``ignore``."""
    command = [sys.executable, "-W", "error", "-W", ignore, "-c", code, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S * 2)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


def test_a_push_just_before_the_end_of_the_process_is_not_lost(server):
    before = server.counters.accepted
    run_python(
        """
import sys
from stork_node import Publisher
publisher = Publisher(sys.argv[1], answered=False)
for _ in range(500):
    publisher.push("v1.a.1", "t")
""",
        server.pull_endpoint,
    )
    wait_for(lambda: server.counters.accepted == before + 500, "all that was pushed")


FORK = """
import os, sys
from stork_node import Publisher
def say(position):
    os.write(1, position.encode() + b"\\n")  # whole lines, whoever writes
publisher = Publisher(sys.argv[1], timeout_ms=20000)
unanswered = Publisher(sys.argv[2], answered=False)
say(publisher.push("v1.a.1", "before"))
unanswered.push("v1.a.1", "before")
children = []
for n in range(4):
    child = os.fork()
    if child == 0:
        for _ in range(50):
            say(publisher.push("v1.a.1", "child"))
            unanswered.push("v1.a.1", "child")
        if n % 2:
            publisher.close()
            unanswered.close()
        sys.exit(0)
    children.append(child)
for _ in range(50):
    say(publisher.push("v1.a.1", "parent"))
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
say(publisher.push("v1.a.1", "after"))
unanswered.push("v1.a.1", "after")
"""


def test_a_publisher_works_on_in_forked_children_and_in_their_parent(server):
    before = server.counters.accepted
    # pyzmq warns, at the end of a child, of its parent's sockets, which the child rightly did not close.
    printed = run_python(FORK, server.router_endpoint, server.pull_endpoint, ignore="ignore::ResourceWarning")
    positions = printed.split()
    assert len(set(positions)) == 1 + 4 * 50 + 50 + 1
    wait_for(lambda: server.counters.accepted == before + len(positions) + 1 + 4 * 50 + 1, "what was not answered")


def test_a_child_forked_while_other_threads_push_is_not_held_up(server):
    printed = run_python(
        """
import os, sys, threading
from stork_node import Publisher
publisher = Publisher(sys.argv[1], timeout_ms=20000)
unanswered = Publisher(sys.argv[2], answered=False)
done = threading.Event()
def work():
    while not done.is_set():
        publisher.push("v1.a.1", "t")
        unanswered.push("v1.a.1", "t")
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
statuses = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        publisher.push("v1.a.1", "t")
        unanswered.push("v1.a.1", "t")
        os._exit(7)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
for thread in threads:
    thread.join()
print(statuses)
""",
        server.router_endpoint,
        server.pull_endpoint,
    )
    assert printed.strip() == str([7] * 10)


def test_a_web_application_loads_neither_twisted_nor_click_with_it():
    loaded = run_python(
        "import sys; from stork_node import Publisher, AsyncPublisher; AsyncPublisher, Publisher(); print(*sys.modules)"
    ).split()
    assert "zmq" in loaded
    for heavy in ("twisted", "autobahn", "txaio", "crossbar", "click", "rich"):
        assert heavy not in loaded


def test_a_publisher_that_is_forgotten_closes_its_connections(server):
    publisher = Publisher(server.router_endpoint)
    publisher.push("v1.a.1", "t")
    connections = publisher._connections[os.getpid()]
    threads = threading.active_count()
    del publisher
    assert connections._context.closed
    assert threading.active_count() == threads


def test_the_default_endpoints_are_those_of_the_design():
    with Publisher() as answered, Publisher(answered=False) as unanswered:
        assert answered._target.endpoint == "tcp://127.0.0.1:5557"
        assert unanswered._target.endpoint == "tcp://127.0.0.1:5555"
    assert ANY.startswith("tcp://127.0.0.1")
