"""Who is online: equal tables at equal positions, snapshots, and nobody told twice."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from stork_node.nodes.log_state import LogState
from stork_node.presence.absences import Absences
from stork_node.presence.followed import FollowedPresence
from stork_node.presence.snapshots import Snapshots
from stork_node.presence.table import Change, PresenceTable
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, StateEntry, StateFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import AbsencesOver, PresenceChanges, PresenceSettled, TopicChanges
from stork_node.protocol.presence.snapshots import PresenceRequest, PresenceRows

ROOM = "v1.room.7"
NODES, ROOMS, USERS = ("a", "b", "c"), ("v1.room.1", "v1.room.2"), ("ann", "bob")


def batch(node: str, number: int, at_ms: int = 0, **changes) -> PresenceChanges:
    return PresenceChanges(node, number, (TopicChanges(ROOM, **changes),), at_ms)


def shown(table: PresenceTable) -> dict:
    return {
        topic: {authid: (user.since_ms, tuple(user.on), bytes(user.info)) for authid, user in room.users.items()}
        for topic, room in table.rooms.items()
    } | {"absent": dict(table.absent), "settled": table.is_settled}


def test_a_user_of_two_nodes_comes_once_and_goes_once():
    table = PresenceTable()
    assert table.apply(batch("a", 1, on=("ann",)), 1) == [Change(ROOM, ["ann"], [])]
    assert table.apply(batch("b", 1, on=("ann",)), 2) == []
    assert table.apply(batch("a", 2, left=("ann",)), 3) == []
    assert table.apply(batch("b", 2, left=("ann",)), 4) == [Change(ROOM, [], ["ann"])]
    assert table.rooms == {}


def test_an_absence_that_ends_is_told_and_one_that_was_ended_is_not():
    table = PresenceTable()
    table.apply(batch("a", 1, on=("ann",)), 1)
    assert table.apply(batch("a", 2, off=("ann",)), 2) == []
    assert list(table.users(ROOM)) == ["ann"]
    assert table.apply(batch("a", 3, on=("ann",)), 3) == []
    assert table.apply(AbsencesOver(((ROOM, "ann", 2),), 0), 4) == []
    table.apply(batch("a", 4, off=("ann",)), 5)
    assert table.apply(AbsencesOver(((ROOM, "ann", 2),), 0), 6) == []
    assert table.apply(AbsencesOver(((ROOM, "ann", 5),), 0), 7) == [Change(ROOM, [], ["ann"])]


def test_a_node_that_is_gone_leaves_absences():
    table = PresenceTable()
    table.apply(batch("a", 1, on=("ann", "bob")), 1)
    table.apply(batch("b", 1, on=("bob",)), 2)
    table.end_node("a", 3)
    assert table.absent == {(ROOM, "ann"): 3}
    assert list(table.users(ROOM)) == ["ann", "bob"]


def test_new_info_is_told_and_the_same_is_not():
    table = PresenceTable()
    table.apply(batch("a", 1, 5, on=("ann",), info={"ann": Raw(b'{"n":1}')}), 1)
    assert table.apply(batch("b", 1, 6, on=("ann",), info={"ann": Raw(b'{"n":1}')}), 2) == []
    assert table.apply(batch("b", 2, 7, on=("ann",), info={"ann": Raw(b'{"n":2}')}), 3) == [Change(ROOM, ["ann"], [])]
    assert (bytes(table.users(ROOM)["ann"].info), table.users(ROOM)["ann"].since_ms) == (b'{"n":2}', 5)


def test_nobody_reports_for_the_dead_and_numbers_follow_each_other():
    state = LogState(Position("e", 0))
    assert not state.accepts(batch("a", 1, on=("ann",)))
    state.apply(NodeAttached("a", "node-1"), 1)
    assert not state.accepts(batch("a", 2, on=("ann",)))
    assert state.accepts(batch("a", 1, on=("ann",)))
    state.apply(batch("a", 1, on=("ann",)), 2)
    assert not state.accepts(batch("a", 1, on=("ann",)))
    state.apply(NodeGone("a"), 3)
    assert not state.accepts(batch("a", 2, on=("ann",)))


def test_absences_end_after_their_time_and_begin_anew_after_a_stall():
    table, absences = PresenceTable(), Absences()
    table.apply(batch("a", 1, on=("ann",), wait_ms=2000), 1)
    table.apply(batch("a", 2, off=("ann",), wait_ms=2000), 2)
    assert list(absences.over(table, 0.0, 9)) == []
    assert list(absences.over(table, 1.9, 9)) == []
    assert list(absences.over(table, 8.0, 9)) == []
    assert list(absences.over(table, 9.9, 9)) == []
    assert list(absences.over(table, 10.0, 9)) == [AbsencesOver(((ROOM, "ann", 2),), 9)]


def test_a_new_epoch_is_settled_once():
    state = LogState(Position("e", 0), is_settled=False)
    assert state.accepts(PresenceSettled(0))
    state.apply(PresenceSettled(0), 1)
    assert not state.accepts(PresenceSettled(0))


def test_nothing_is_told_before_a_new_epoch_is_settled():
    told, followed = [], None
    followed = FollowedPresence(lambda at, at_ms, changes: told.append(changes))
    followed.request(Position("e", 0))
    followed.load(PresenceRows("e", "r", 0, "s", 0, 1, False))
    followed.take(StateFrame(Position("e", 1), "r", batch("a", 1, on=("ann",))))
    assert (told, followed.begun) == ([], Position("e", 1))
    followed.take(StateFrame(Position("e", 2), "r", PresenceSettled(0)))
    followed.take(StateFrame(Position("e", 3), "r", batch("a", 2, on=("bob",))))
    assert (told, followed.begun) == ([[Change(ROOM, ["bob"], [])]], Position("e", 2))


topics = st.lists(
    st.builds(
        lambda topic, fates, info: TopicChanges(
            topic,
            on=tuple(user for user, fate in fates.items() if fate == 0),
            info={user: Raw(json.dumps(info).encode()) for user, fate in fates.items() if fate == 0 and info},
            off=tuple(user for user, fate in fates.items() if fate == 1),
            left=tuple(user for user, fate in fates.items() if fate == 2),
        ),
        st.sampled_from(ROOMS),
        st.dictionaries(st.sampled_from(USERS), st.integers(0, 2)),
        st.integers(0, 2),
    ),
    max_size=2,
    unique_by=lambda each: each.topic,
)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(NODES), topics),
        st.tuples(st.just("gone"), st.sampled_from(NODES)),
        st.just(("over", None)),
        st.just(("late", None)),
    ),
    max_size=40,
)


def entries_of(steps) -> list[StateEntry]:
    """Entries as a publish server appends them."""
    state, found, lives = LogState(Position("e", 0)), [], dict.fromkeys(NODES, 0)

    def append(entry: StateEntry) -> None:
        if state.accepts(entry):
            found.append(entry)
            state.apply(entry, len(found))

    for kind, what in steps:
        absent = tuple((topic, user, number) for (topic, user), number in state.presence.absent.items())
        if kind == "gone":
            append(NodeGone(f"{what}{lives[what]}"))
            lives[what] += 1
        elif kind == "over":
            append(AbsencesOver(absent, len(found)))
        elif kind == "late":
            append(AbsencesOver(tuple((topic, user, number - 1) for topic, user, number in absent), len(found)))
        else:
            node = f"{kind}{lives[kind]}"
            append(NodeAttached(node, kind))
            append(PresenceChanges(node, state.last_batch(node) + 1, tuple(what), len(found)))
    return found


def replay(entries: list[StateEntry], state: LogState, since: int) -> None:
    for number, entry in enumerate(entries[since:], since + 1):
        state.apply(entry, number)


@settings(max_examples=300)
@given(steps, st.integers(0, 100), st.integers(0, 100))
def test_a_snapshot_and_what_follows_is_the_table_of_all(steps, asked, made):
    entries = entries_of(steps)
    asked = min(asked, len(entries))
    made = min(max(made, asked), len(entries))
    whole = LogState(Position("e", 0))
    replay(entries, whole, 0)
    at_snapshot = LogState(Position("e", 0))
    replay(entries[:made], at_snapshot, 0)
    told: list[Change] = []
    followed = FollowedPresence(lambda at, at_ms, changes: told.extend(changes))
    frames = [StateFrame(Position("e", number), "r", entry) for number, entry in enumerate(entries, 1)]
    for frame in frames[:asked]:
        followed.take(frame)
    assert followed.request(Position("e", asked)) == PresenceRequest()
    for frame in frames[asked:made]:
        followed.take(frame)
    snapshots, wanted = Snapshots(), PresenceRequest()
    while followed.load(
        msgspec.json.decode(
            msgspec.json.encode(snapshots.part(wanted, at_snapshot.presence, Position("e", made), "r", 0.0)),
            type=PresenceRows,
        )
    ):
        wanted = followed.request(Position("e", asked))
    seen = {topic: set(room.users) for topic, room in followed.table.rooms.items()}
    for frame in frames[made:]:
        followed.take(frame)
    assert shown(followed.table) == shown(whole.presence)
    decoded = LogState.decode(whole.encode())
    assert decoded is not None
    assert shown(decoded.presence) == shown(whole.presence)
    for change in told:  # nobody goes who was not there
        users = seen.setdefault(change.topic, set())
        assert users.issuperset(change.offline)
        users.update(change.online)
        users.difference_update(change.offline)
    assert {topic: users for topic, users in seen.items() if users} == {
        topic: set(room.users) for topic, room in whole.presence.rooms.items()
    }
