"""Frames are read in turns: connections are fakes whose frames are letters."""

import pytest

from stork_crossbar.connections.round_robin import FRESH_S, RoundRobinReader
from tests.components.turn_clock import TurnClock

OPEN, CLOSED = 3, 0


class Connection:
    """Has ``frames`` to be read, each in two steps; ``log`` is what all connections had read, in order."""

    def __init__(self, log, name, frames=0):
        self.log, self.name, self.left, self.state = log, name, 2 * frames, OPEN
        self.transport, self.is_paused, self.is_cut = self, False, False
        self.costs, self.error = (lambda: None), None

    def processData(self):  # noqa: N802  # Twisted's and autobahn's name
        if self.error:
            raise self.error
        self.left -= 1
        if self.left % 2 == 0:
            self.log.append(self.name)
            self.costs()
        return self.left > 0

    def pauseProducing(self):  # noqa: N802  # Twisted's and autobahn's name
        self.is_paused = True

    def resumeProducing(self):  # noqa: N802  # Twisted's and autobahn's name
        self.is_paused = False

    def abortConnection(self):  # noqa: N802  # Twisted's and autobahn's name
        self.is_cut = True


class Node:
    """Turns of a reactor: ``turn()`` is one, in which time passes only as frames say."""

    def __init__(self):
        self.reactor, self.log, self.notes, self.held, self.now = TurnClock(), [], [], {}, 0.0
        self.turns = RoundRobinReader(
            self.reactor, lambda connection: self.held.get(connection.name), self.notes.append, lambda: 4, self.clock
        )

    def clock(self):
        return self.now

    def connect(self, name, frames):
        return Connection(self.log, name, frames)

    def turn(self):
        before = len(self.log)
        self.reactor.turn()
        return "".join(self.log[before:])

    def spend(self, time_s):
        self.now += time_s


@pytest.fixture
def node():
    return Node()


def text(node):
    return "".join(node.log)


def test_a_few_frames_are_read_at_once_and_nothing_is_paused(node):
    connection = node.connect("a", 4)
    node.turns.take(connection)
    assert (text(node), connection.is_paused) == ("aaaa", False)


def test_what_is_left_is_read_later_and_meanwhile_nothing_more_comes(node):
    connection = node.connect("a", 10)
    node.turns.take(connection)
    assert (text(node), connection.is_paused, node.turns.has_unread(connection)) == ("aaaa", True, True)
    assert node.turn() == "aaaaaa"
    assert (connection.is_paused, node.turns.has_unread(connection)) == (False, False)


def test_a_turn_reads_for_a_few_milliseconds_connection_by_connection(node):
    flood, other = node.connect("f", 1000), node.connect("o", 6)
    flood.costs = other.costs = lambda: node.spend(0.001)
    node.turns.take(flood)
    node.turns.take(other)
    assert text(node) == "ffff" + "oooo"
    assert node.turn() == "ffff" + "oo"
    assert node.turn() == "ffff" * 2


def test_a_connection_that_waits_for_the_next_turn_goes_first(node):
    slow, late = node.connect("s", 100), node.connect("l", 1)
    slow.costs = lambda: node.spend(FRESH_S)
    node.turns.take(slow)
    node.turns.take(late)
    assert (text(node), late.is_paused) == ("s", True)
    assert node.turn()[0] == "l"
    assert not late.is_paused


def test_those_who_come_and_those_who_wait_are_read_by_turns(node):
    backlog = node.connect("b", 100)
    backlog.costs = lambda: node.spend(FRESH_S)
    node.turns.take(backlog)
    for _ in range(3):
        node.turns.take(node.connect("n", 1))
    node.reactor.turn()
    assert "b" in text(node)[1:5]


def test_frames_that_cost_much_are_read_one_at_a_time(node):
    dear = node.connect("d", 3)
    dear.costs = lambda: node.spend(0.006)
    node.turns.take(dear)
    assert text(node) == "d"
    assert node.turn() == "d"


def test_a_held_connection_is_read_on_when_it_is_let_go(node):
    connection = node.connect("a", 3)
    node.held["a"] = "questions"
    node.turns.take(connection)
    assert (text(node), connection.is_paused, node.notes) == ("", True, ["questions"])
    node.turns.let_go(connection)
    assert node.turn() == ""
    node.held.clear()
    node.turns.let_go(connection)
    assert node.turn() == "aaa"
    assert not connection.is_paused


def test_a_held_connection_is_looked_at_from_time_to_time(node):
    connection = node.connect("a", 3)
    node.held["a"] = "waiting_bytes"
    node.turns.take(connection)
    node.reactor.pump([0.05] * 10)
    assert (text(node), node.notes) == ("", ["waiting_bytes"])
    node.held.clear()
    node.reactor.pump([0.05] * 2)
    assert text(node) == "aaa"
    assert node.reactor.getDelayedCalls() == []


def test_a_connection_is_held_between_two_frames(node):
    connection = node.connect("a", 4)
    connection.costs = lambda: node.held.update(a="waiting_bytes")
    node.turns.take(connection)
    assert text(node) == "a"


@pytest.mark.parametrize("frames", [10, 3])
def test_a_connection_that_is_gone_is_forgotten(node, frames):
    connection = node.connect("a", frames)
    if frames == 3:
        node.held["a"] = "questions"
    node.turns.take(connection)
    connection.state = CLOSED
    before = text(node)
    node.reactor.pump([0.05] * 3)
    assert (text(node), node.turns.has_unread(connection)) == (before, False)
    assert node.reactor.getDelayedCalls() == []


def test_what_comes_while_frames_wait_is_not_read_before_them(node):
    connection = node.connect("a", 10)
    node.turns.take(connection)
    connection.is_paused = False
    node.turns.take(connection)
    assert (text(node), connection.is_paused) == ("aaaa", True)


def test_an_error_cuts_its_own_connection_and_no_other(node):
    broken, other = node.connect("b", 10), node.connect("o", 10)
    node.turns.take(broken)
    node.turns.take(other)
    broken.error = ValueError("text of the exception")
    assert node.turn() == "oooooo"
    assert (broken.is_cut, other.is_cut) == (True, False)


def test_many_that_are_held_cost_no_more_looks_than_a_few(node):
    looks = []
    turns = RoundRobinReader(
        node.reactor, lambda each: looks.append(each) or "waiting_bytes", node.notes.append, clock=node.clock
    )
    held = [node.connect("h", 1) for _ in range(500)]
    for connection in held:
        turns.take(connection)
    looks.clear()
    node.reactor.pump([0.05])
    assert len(looks) <= 64
    node.reactor.pump([0.05] * 20)
    assert {*looks} == {*held}  # each has its turn


@pytest.mark.parametrize("limit", ["questions", "waiting_bytes"])
def test_of_many_that_are_held_each_is_read_in_the_end(node, limit):
    held = [node.connect("h", 1) for _ in range(50)]
    node.held["h"] = limit
    for connection in held:
        node.turns.take(connection)
    node.reactor.pump([0.05] * 3)
    node.held.clear()
    node.reactor.pump([0.05] * 30)
    assert text(node) == 50 * "h"
    assert node.reactor.getDelayedCalls() == []


def test_one_that_is_held_for_another_reason_later_is_looked_at_for_that(node):
    connection = node.connect("a", 1)
    node.held["a"] = "questions"
    node.turns.take(connection)
    node.held["a"] = "waiting_bytes"
    node.reactor.pump([0.05] * 2)
    node.held.clear()
    node.reactor.pump([0.05] * 2)
    assert text(node) == "a"
