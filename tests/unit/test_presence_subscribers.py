"""Which sessions count for presence."""

import pytest

from stork_node.presence.local import LocalPresence
from stork_node.presence.subscribers import PresenceSubscribers
from stork_node.process_state import singleton

ROOM = "v1.room.7"


@pytest.fixture
def subscribers() -> PresenceSubscribers:
    found = PresenceSubscribers()
    found.set_feeds({"v1.room": 3000})
    return found


def count(authid: str = "ann", topic: str = ROOM) -> int:
    return singleton(LocalPresence).count(topic, authid)


def test_sessions_count_in_topics_of_feeds_with_presence(subscribers):
    subscribers.subscribed(1, "ann", ROOM)
    subscribers.subscribed(2, "ann", ROOM)
    subscribers.subscribed(1, "ann", "v1.other.7")
    assert (count(), count(topic="v1.other.7")) == (2, 0)
    subscribers.unsubscribed("ann", ROOM)
    assert count() == 1


def test_what_is_said_of_a_user_goes_with_its_session(subscribers):
    subscribers.joined(1, b'{"n":1}')
    subscribers.subscribed(1, "ann", ROOM)
    batch = singleton(LocalPresence).next_batch()
    assert batch is not None
    assert bytes(batch.topics[0].info["ann"]) == b'{"n":1}'
    subscribers.left(1)
    subscribers.left(1)


def test_a_feed_that_gets_or_loses_presence_counts_anew(subscribers):
    subscribers.subscribed(1, "ann", ROOM)
    subscribers.subscribed_now = lambda: [(1, "ann", ROOM), (2, "bob", "v1.other.7")]
    subscribers.set_feeds({"v1.room": 3000, "v1.other": 1000})
    assert (count(), count("bob", "v1.other.7")) == (1, 1)
    subscribers.set_feeds({"v1.other": 2000})
    assert (count(), count("bob", "v1.other.7")) == (0, 1)
