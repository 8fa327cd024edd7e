"""Presence at one node: when it can say who is online, and when the log has other batches than it has said."""

import pytest

from stork_node.presence.here import NodePresence
from stork_node.presence.local import LocalPresence
from stork_node.protocol.commands.entries import NodeGone, StateEntry, StateFrame
from stork_node.protocol.commands.leases import Leased
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceChanges
from stork_node.protocol.presence.snapshots import PresenceRows

ROOM = "v1.room.7"


class Scene:
    """A node that is attached as ``a``, and knows the table; ``meets`` puts its batch into the log."""

    def __init__(self) -> None:
        self.here = NodePresence(LocalPresence(), lambda at, at_ms, changes: None)
        self.here.is_understood = True
        self.number = self.lease = 0
        self.says()
        self.here.followed.request(Position("e", 0))
        self.here.followed.load(PresenceRows("e", "r", 0, "s", 0, 1, True))

    def says(self) -> None:
        self.batch = self.here.batch("a", True)
        self.lease += 1
        self.here.sent(self.lease)

    def hears(self, batches: int | None, lease: int | None = None, now: float = 0.0) -> bool:
        return self.here.answered(Leased("a", lease or self.lease, "e", "r", 0, "attached", 0, batches), now)

    def meets(self, entry: StateEntry | None = None) -> None:
        self.number += 1
        if entry is None:
            assert self.batch is not None
            entry = PresenceChanges("a", self.batch.batch, self.batch.topics, 0)
        self.here.met(StateFrame(Position("e", self.number), "r", entry))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_answer_that_is_older_than_the_log_is_no_contradiction(scene):
    scene.here.local.join(ROOM, "ann", 0)
    scene.says()
    scene.meets()
    assert not scene.hears(0, lease=1)
    assert not scene.hears(1, lease=2)


@pytest.mark.parametrize("batches", [0, 3])
def test_a_log_with_other_batches_contradicts(scene, batches):
    scene.here.local.join(ROOM, "ann", 0)
    scene.says()
    scene.meets()
    scene.says()
    assert scene.hears(batches)


def test_it_is_ready_once_the_log_has_its_users(scene):
    scene.hears(0)
    assert scene.here.is_ready(0.0)
    assert not scene.here.is_ready(10.0)
    scene.meets(NodeGone("a"))
    assert not scene.here.is_ready(0.0)


def test_nothing_is_said_to_a_server_without_presence(scene):
    scene.hears(None)
    scene.here.local.join(ROOM, "ann", 0)
    scene.says()
    assert scene.batch is None
