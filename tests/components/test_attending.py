"""What a node says to its publish server: each second, after a command, after a break, and at its end."""

from typing import Any

import pytest
from twisted.internet.task import Clock

from stork_components.commands.attending import Attending
from stork_node.errors import InvalidFrame
from stork_node.nodes.session_marks import Binding, SessionMarks
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, StateFrame
from stork_node.protocol.commands.leases import (
    Lease,
    Leased,
    Nodes,
    NodesRequest,
    NodeState,
    Report,
    encode_node_answer,
)
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import decode_request

AT = Position("e", 4)


class Link:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.is_connected = True

    def say(self, frame: bytes) -> bool:
        if self.is_connected:
            self.said.append(decode_request(frame))
        return self.is_connected

    def take(self) -> list[Any]:
        said, self.said = self.said, []
        return said


class Scene:
    def __init__(self) -> None:
        self.clock, self.link, self.marks = Clock(), Link(), SessionMarks()
        environ = {"STORK_NODE_NAME": "node-1"}
        self.attending = Attending(self.clock, self.link.say, self.marks, lambda: AT, environ)
        self.attending.is_understood = True

    def leased(self, lease: Lease, tail: int, state: Any = "attached") -> None:
        answer = Leased(lease.incarnation, lease.number, "e", "run", tail, state)
        self.attending.answered([encode_node_answer(answer)])

    def attach(self, at: int = 2) -> Lease:
        self.attending.say()
        lease, _ = self.link.take()
        self.attending.met(StateFrame(Position("e", at), "run", NodeAttached(lease.incarnation, "node-1")))
        self.attending.answered([encode_node_answer(Nodes("e", "run", at, ()))])
        return lease


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_nothing_is_said_to_a_server_of_an_older_release(scene):
    scene.attending.is_understood = False
    scene.attending.say()
    scene.attending.close()
    assert scene.link.said == []


def test_a_lease_says_who_and_where_the_node_is(scene):
    scene.marks.joined(1, scene.marks.open())
    scene.attending.say()
    lease, asked = scene.link.take()
    assert (lease.name, lease.epoch, lease.position, lease.sessions, lease.number) == ("node-1", "e", 4, 1, 1)
    assert asked == NodesRequest(revoked=True)


def test_the_table_of_nodes_is_asked_for_until_it_comes(scene):
    scene.attending.say()
    scene.attending.say()
    assert [type(each) for each in scene.link.take()] == [Lease, NodesRequest] * 2
    row = NodeState("node-2", "i2", "node-2", "", 1)
    scene.attending.answered([encode_node_answer(Nodes("e", "run", 3, (row,)))])
    scene.attending.say()
    assert [type(each) for each in scene.link.take()] == [Lease]
    scene.attending.met(StateFrame(Position("e", 5), "run", NodeGone("i2")))
    assert len(scene.attending.nodes.table) == 0


def test_a_session_is_settled_by_a_lease_that_was_sent_after_it(scene):
    scene.attending.say()
    before = scene.link.take()[0]
    scene.marks.joined(1, scene.marks.open())
    scene.leased(before, 6)
    assert scene.marks.binding(1, Position("e", 7)) is Binding.DOUBTFUL
    scene.link.is_connected = False
    scene.attending.say()  # nobody hears this one
    scene.link.is_connected = True
    scene.attending.say()
    scene.leased(scene.link.take()[0], 6)
    assert scene.marks.binding(1, Position("e", 7)) is Binding.BINDS


def test_a_command_is_reported_at_the_end_of_the_turn(scene):
    scene.attach()
    for sequence in (5, 6):
        scene.attending.obeyed(Position("e", sequence), {"sessions": 1})
    assert scene.link.take() == []
    scene.clock.advance(0)
    [lease] = scene.link.take()
    assert lease.reports == (Report(1, 5, {"sessions": 1}), Report(2, 6, {"sessions": 1}))
    assert scene.clock.getDelayedCalls() == []


def test_after_a_break_the_node_attaches_anew(scene):
    before = scene.attach()
    scene.attending.begin_anew()
    scene.attending.say()
    goodbye, lease, asked = scene.link.take()
    assert (goodbye.incarnation, goodbye.leaves) == (before.incarnation, True)
    assert (lease.incarnation != before.incarnation, lease.leaves, asked) == (True, False, NodesRequest(revoked=True))


def test_a_node_that_is_gone_attaches_anew(scene):
    before = scene.attach()
    scene.leased(before, 9, "gone")
    scene.attending.say()
    assert scene.link.take()[0].incarnation != before.incarnation


def test_a_node_that_stops_says_goodbye(scene):
    before = scene.attach()
    scene.attending.obeyed(Position("e", 5), {"sessions": 1})
    scene.attending.close()
    [goodbye] = scene.link.take()
    assert (goodbye.incarnation, goodbye.leaves) == (before.incarnation, True)
    assert scene.clock.getDelayedCalls() == []


def test_an_answer_that_is_none_is_an_error(scene):
    with pytest.raises(InvalidFrame):
        scene.attending.answered([b"stork 1 page {}"])
