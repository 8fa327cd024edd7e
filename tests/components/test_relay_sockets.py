"""The relay's sockets in a reactor: real ZMQ, and a clock for what waits."""

import pytest
import zmq
from twisted.internet.task import Clock

from stork_components.relay.waiters import Waiters
from stork_crossbar.internals.zmq_reader import ZmqReader
from stork_node.protocol.positions import Position


class Reactor(Clock):
    """Turns by hand; a reader is asked when the test says so."""

    def __init__(self):
        super().__init__()
        self.readers = set()

    def addReader(self, reader):  # noqa: N802
        self.readers.add(reader)

    def removeReader(self, reader):  # noqa: N802
        self.readers.discard(reader)

    def turn(self):
        self.advance(0)


@pytest.fixture
def pipe(request):
    """A PUSH socket, and the PULL that it is connected to, by TCP unless told otherwise."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:
        push.sndhwm = pull.rcvhwm = 0
        pull.bind(getattr(request, "param", "tcp://127.0.0.1:*"))
        push.connect(pull.last_endpoint)
        yield push, pull
        pull.close()


def send(push, pull, messages):
    for message in messages:
        push.send_multipart(message)
    assert pull.poll(5_000)


def read(reactor, reader, got, number):
    """Turns until so many messages have come."""
    while sum(map(len, got)) < number:
        reactor.turn()
        reader.doRead()


def test_messages_that_wait_are_handed_on_together_and_in_order(pipe):
    push, pull = pipe
    reactor, got = Reactor(), []
    send(push, pull, [[b"%d" % n, b"more"] for n in range(1000)])
    reader = ZmqReader(reactor, pull, got.append)
    read(reactor, reader, got, 1000)
    assert [message for batch in got for message in batch] == [[b"%d" % n, b"more"] for n in range(1000)]
    assert max(map(len, got)) > 100
    reader.close()


@pytest.mark.parametrize("pipe", ["inproc://flood"], indirect=True)  # where what was sent is there
def test_a_flood_leaves_turns_to_others(pipe):
    push, pull = pipe
    reactor, got = Reactor(), []

    def slow(messages):
        got.append(messages)
        reactor.rightNow += 0.001 * len(messages)

    send(push, pull, [[b"x"]] * 2000)
    reader = ZmqReader(reactor, pull, slow)
    read(reactor, reader, got, 2000)
    assert all(len(batch) <= 40 for batch in got[1:])
    reader.close()


def test_large_messages_are_taken_a_few_at_a_time(pipe):
    push, pull = pipe
    reactor, got = Reactor(), []
    send(push, pull, [[bytes(1 << 20)]] * 30)
    reader = ZmqReader(reactor, pull, got.append)
    read(reactor, reader, got, 30)
    assert max(map(len, got)) <= 8
    reader.close()


def test_a_closed_reader_reads_no_more(pipe):
    _, pull = pipe
    reactor, got = Reactor(), []
    reader = ZmqReader(reactor, pull, got.append)
    reader.close()
    reader.close()
    reactor.turn()
    assert (got, reactor.readers, reader.fileno()) == ([], set(), -1)
    reader.look_again()
    assert reactor.getDelayedCalls() == []


def wait(waiters, goal, within_s=3.0):
    answers = []
    waiters.until(Position.parse(goal), within_s).addCallback(answers.append)
    return answers


def test_who_waits_is_woken_when_the_node_is_there_and_nobody_before():
    reactor = Reactor()
    waiters = Waiters(reactor)
    waiters.look(Position("e", 1))
    near, far = wait(waiters, "e:5"), wait(waiters, "e:9")
    waiters.look(Position("e", 4))
    assert (near, far) == ([], [])
    waiters.look(Position("e", 6))
    assert (near, far) == ([True], [])
    reactor.advance(3.0)
    assert far == [False]
    waiters.look(Position("e", 9))
    assert (near, far, reactor.getDelayedCalls()) == ([True], [False], [])


def test_waiting_for_a_position_that_never_comes_leaves_nothing_behind():
    reactor = Reactor()
    waiters = Waiters(reactor)
    for _ in range(1000):
        wait(waiters, "e:9007199254740991")
    assert len(waiters) == 1000
    reactor.advance(3.0)
    assert (len(waiters), len(waiters._heap)) == (0, 0)


def test_another_epoch_wakes_everybody():
    waiters = Waiters(Reactor())
    waiting = wait(waiters, "e:5")
    waiters.look(None)
    assert waiting == []
    waiters.look(Position("f", 0))
    assert waiting == [True]
