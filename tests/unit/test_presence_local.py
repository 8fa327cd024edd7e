"""What a node says of its users: batches that follow each other, whatever is lost or repeated."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stork_node.nodes.log_state import LogState
from stork_node.presence.local import LocalPresence
from stork_node.protocol.commands.entries import NodeAttached, NodeGone
from stork_node.protocol.commands.leases import Lease, encode_node_request
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceBatch, PresenceChanges, TopicChanges

ROOM = "v1.room.7"


def said(local: LocalPresence) -> PresenceBatch | None:
    batch = local.next_batch()
    if batch:
        local.met(batch.batch)
    return batch


def test_the_first_session_and_the_last_are_said():
    local = LocalPresence()
    local.join(ROOM, "ann", 3000)
    assert said(local) == PresenceBatch(1, (TopicChanges(ROOM, 3000, on=("ann",)),))
    local.join(ROOM, "ann", 3000)
    local.leave(ROOM, "ann")
    assert said(local) is None
    local.leave(ROOM, "ann", has_left=True)
    assert said(local) == PresenceBatch(2, (TopicChanges(ROOM, 3000, left=("ann",)),))
    assert len(local) == 0


def test_a_page_that_is_loaded_again_within_a_batch_is_no_news():
    local = LocalPresence()
    local.join(ROOM, "ann", 3000)
    said(local)
    local.leave(ROOM, "ann", has_left=True)
    local.join(ROOM, "ann", 3000)
    assert said(local) is None
    assert local.is_told


def test_new_info_of_a_second_session_is_said():
    local = LocalPresence()
    local.join(ROOM, "ann", 3000, b'{"n":1}')
    said(local)
    local.join(ROOM, "ann", 3000, b'{"n":2}')
    batch = said(local)
    assert batch is not None
    assert bytes(batch.topics[0].info["ann"]) == b'{"n":2}'


def test_a_batch_is_repeated_until_the_log_has_it():
    local = LocalPresence()
    local.join(ROOM, "ann", 3000)
    first = local.next_batch()
    local.join(ROOM, "bob", 3000)
    assert local.next_batch() == first
    assert (local.numbered, local.last_said) == (0, 1)
    local.met(1)
    assert local.next_batch() == PresenceBatch(2, (TopicChanges(ROOM, 3000, on=("bob",)),))


def test_a_lease_with_the_largest_batch_is_one_request():
    local = LocalPresence()
    for number in range(3_000):
        local.join(f"v1.room.{number}", "\x01" * 40 + str(number), 3000, b'{"name":"%d"}' % number)
    sizes = []
    while batch := said(local):
        sizes.append(len(encode_node_request(Lease("i" * 64, "n" * 64, presence=batch))))
    assert max(sizes) < 50_000
    assert len(sizes) > 3


def test_a_name_that_is_too_long_is_nowhere():
    local = LocalPresence()
    assert not local.join(ROOM, "x" * 256, 3000)
    assert not local.join(ROOM, "ann", 3000, b"x" * 4097)
    assert (len(local), local.next_batch()) == (0, None)


INFOS = (b"null", b"1", b"2")

moves = st.lists(
    st.one_of(
        st.tuples(
            st.just("join"), st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from([b"null", b"1", b"2"])
        ),
        st.tuples(st.just("leave"), st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans()),
        st.tuples(st.sampled_from(["say", "lose", "meet", "end"])),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(moves)
def test_the_log_comes_to_have_the_users_of_this_node(moves):
    local, state = LocalPresence(), LogState(Position("e", 0))
    number, life, waiting = 1, 0, []
    state.apply(NodeAttached("i0", "node"), number)

    def say(is_lost: bool) -> None:
        nonlocal number
        batch = local.next_batch()
        if batch is None or is_lost:
            return
        entry = PresenceChanges(f"i{life}", batch.batch, batch.topics, 0)
        if state.accepts(entry):
            number += 1
            state.apply(entry, number)
            waiting.append(batch.batch)

    for kind, *what in moves:
        if kind == "join":
            local.join(f"v1.room.{what[0]}", what[1], 3000, what[2])
        elif kind == "leave":
            local.leave(f"v1.room.{what[0]}", what[1], what[2])
        elif kind == "end":
            number += 1
            state.apply(NodeGone(f"i{life}"), number)
            life += 1
            number += 1
            state.apply(NodeAttached(f"i{life}", "node"), number)
            waiting.clear()
            local.begin_anew()
        elif kind == "meet" and waiting:
            local.met(waiting.pop(0))
        else:
            say(kind == "lose")
    while not local.is_told:
        say(False)
        for each in waiting:
            local.met(each)
        waiting.clear()
    here = {
        (topic, user)
        for topic, room in state.presence.rooms.items()
        for user, row in room.users.items()
        if f"i{life}" in row.on
    }
    assert here == {
        (f"v1.room.{room}", user) for room in "ab" for user in "xyz" if local.count(f"v1.room.{room}", user)
    }
    assert len(local) == len(here)
