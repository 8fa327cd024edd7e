from collections import Counter

import pytest

from stork_crossbar.connections.answering import LITTLE_BYTES, Answering
from tests.components.turn_clock import TurnClock


class Node:
    def __init__(self):
        self.reactor, self.waiting, self.answered = TurnClock(), Counter(), []
        self.answering = Answering(self.reactor, lambda session_id: self.waiting[session_id])

    def ask(self, *session_ids):
        for session_id in session_ids:
            self.answering.turn(session_id).addCallback(lambda _, each=session_id: self.answered.append(each))


@pytest.fixture
def node():
    return Node()


def test_nothing_is_answered_in_the_turn_that_asked_and_then_one_in_each(node):
    node.ask(1, 1, 1)
    for turn in range(4):
        assert len(node.answered) == turn
        node.reactor.turn()
    assert node.reactor.getDelayedCalls() == []


def test_sessions_are_answered_by_turns(node):
    node.ask(1, 1, 1, 2, 3)
    node.reactor.pump([0] * 5)
    assert node.answered == [1, 2, 3, 1, 1]


def test_a_session_is_not_answered_before_it_has_read_what_waits(node):
    node.waiting[1] = LITTLE_BYTES + 1
    node.ask(1, 2)
    node.reactor.pump([0.05] * 10)
    assert (node.answered, len(node.answering)) == ([2], 1)
    node.waiting[1] = LITTLE_BYTES
    node.reactor.pump([0.05] * 2)
    assert node.answered == [2, 1]
    assert node.reactor.getDelayedCalls() == []


def test_who_asks_while_another_cannot_be_answered_does_not_wait_for_it(node):
    node.waiting[1] = LITTLE_BYTES + 1
    node.ask(1)
    node.reactor.turn()
    node.ask(2)
    node.reactor.turn()
    assert node.answered == [2]
