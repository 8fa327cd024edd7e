"""What holds of every engine: numbers, ids, followers, pages, erasures, nodes and commands (docs/engine.md)."""

import pytest

from stork_node.engines.interface import Failed, Known
from stork_node.protocol.bus import PushFrame, decode_frame
from stork_node.protocol.commands.documents import RECEIPT, Command
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceChanges, TopicChanges
from stork_node.push_log import BeyondLog, Erasure
from tests.components.engine.engines import numbers, push, read_all


def test_numbers_rise_by_one(engine):
    start = engine.tail.sequence
    assert numbers(engine, push(), push(), push()) == [start + 1, start + 2, start + 3]
    assert numbers(engine, push()) == [start + 4]
    assert engine.tail.sequence == start + 4


def test_an_empty_batch_gets_nothing(engine):
    assert engine.append([]) == []


def test_the_numbers_go_on_after_a_clean_end(open_engine):
    engine = open_engine()
    numbers(engine, push(), push())
    tail = engine.tail
    engine.close()
    engine = open_engine()
    assert engine.tail == tail
    assert numbers(engine, push()) == [tail.sequence + 1]


def test_a_known_id_is_answered_with_its_first_position(engine):
    engine.advance(0.0)
    (first,) = engine.append([push("k")])
    assert engine.append([push("k"), push(), push("k")])[::2] == [Known(first), Known(first)]


def test_of_equal_ids_in_one_batch_the_second_is_known(engine):
    first, second = engine.append([push("k"), push("k")])
    assert second == Known(first)


@pytest.mark.parametrize(
    "other", [push("k", data=b"1"), push("k", topic="v1.a.2"), Command("refresh", authid="7", id="k")]
)
def test_an_id_with_another_content_is_reused(engine, other):
    (first,) = engine.append([push("k")])
    assert engine.append([other]) == [Known(first, is_reused=True)]


def test_ids_are_known_after_a_restart(open_engine):
    engine = open_engine()
    (first,) = engine.append([push("k")])
    engine.close()
    assert open_engine().append([push("k")]) == [Known(first)]


def test_frames_are_followed_in_order(engine):
    start = engine.tail.sequence
    frames, at = [], start
    for batch in ([push(data=b"1"), push(data=b"2", store=False)], [push(data=b"3")]):
        numbers(engine, *batch)
        while at < engine.tail.sequence:
            followed = engine.follow(at)
            frames += [decode_frame(frame) for frame in followed.frames]
            at = followed.position.sequence
    assert [frame.position for frame in frames] == [Position(engine.tail.epoch, start + i) for i in (1, 2, 3)]
    assert [b'"data":%d' % i in frame.event for i, frame in enumerate(frames, 1)] == [True] * 3
    assert {frame.run for frame in frames} == {engine.run}


def test_all_of_a_push_comes_back(engine):
    numbers(engine, push("k", data=b'{"a":[1,2.5,"\xc3\xa9"]}', exclude=(7, 8)))
    (frame,) = [decode_frame(each) for each in read_all(engine) if each]
    assert isinstance(frame, PushFrame)
    assert (frame.topics, frame.exclude, frame.store) == (("v1.a.1",), (7, 8), True)
    assert frame.event == b'{"type":"t","data":{"a":[1,2.5,"\xc3\xa9"]},"timestamp":"2026-01-31T12:00:00.000Z"}'


@pytest.mark.parametrize("max_bytes", [1, 1000, 1 << 20])
def test_pages_have_everything_once(engine, max_bytes):
    start = engine.tail.sequence
    sent = [push(data=b"%d" % i) for i in range(600)]
    numbers(engine, *sent)
    frames = read_all(engine, start, max_bytes)
    assert [decode_frame(frame).position.sequence for frame in frames] == list(range(start + 1, start + 601))
    assert engine.read(start, 1).last == start + 1


def test_a_page_from_where_the_log_does_not_reach_is_refused(engine):
    numbers(engine, push())
    with pytest.raises(BeyondLog):
        engine.read(engine.tail.sequence + 1, 1000)
    if engine.floor:
        with pytest.raises(BeyondLog):
            engine.read(engine.floor - 1, 1000)
    assert engine.read(engine.tail.sequence, 1000).frames == []


def test_a_relay_without_a_past_begins_where_it_is_of_use(engine):
    start = engine.tail.sequence
    numbers(engine, *[push() for _ in range(100)])
    assert start <= engine.place_before(3600, 1 << 30) <= start + 1
    assert engine.floor <= engine.place_before(3600, 0) <= engine.tail.sequence


def test_a_topic_is_erased_and_the_positions_stay(engine):
    secret = "v1.user.7"
    start = engine.tail.sequence
    both = push().__class__(("v1.a.1", secret), "t", b"2", "2026-01-31T12:00:00.000Z")
    numbers(engine, push(data=b"1"), push(topic=secret, id="k"), both, push(data=b"3"))
    (erasure,) = engine.append([Erasure(secret)])
    assert sum(engine.erase(secret)) == 2
    frames = read_all(engine, start)
    assert frames[1] is None
    assert not any(secret.encode() in frame for frame in frames[:4] if frame)
    assert [decode_frame(frames[i]).event[19:20] for i in (0, 2, 3)] == [b"1", b"2", b"3"]
    assert decode_frame(frames[4]).position == erasure
    assert sum(engine.erase(secret)) == 0
    assert numbers(engine, push()) == [start + 6]


def test_nobody_appends_for_the_dead(engine):
    a = "a" * 16
    (command,) = engine.append([Command("refresh", authid="7")])
    assert isinstance(engine.append([Obeyed(a, 1, command.sequence, {})])[0], Failed)
    assert isinstance(engine.append([NodeAttached(a, "node-1")])[0], Position)
    assert isinstance(engine.append([NodeAttached(a, "node-1")])[0], Failed)
    assert isinstance(engine.append([Obeyed(a, 2, command.sequence, {})])[0], Failed)
    assert isinstance(engine.append([Obeyed(a, 1, command.sequence, {})])[0], Position)
    assert isinstance(engine.append([Obeyed(a, 1, command.sequence, {})])[0], Failed)
    assert isinstance(engine.append([NodeGone(a)])[0], Position)
    for late in (Obeyed(a, 2, command.sequence, {}), NodeGone(a), NodeAttached(a, "node-1")):
        assert isinstance(engine.append([late])[0], Failed)


def test_the_state_of_nodes_outlives_a_restart(open_engine):
    engine = open_engine()
    a, b = "a" * 16, "b" * 16
    for entry in (NodeAttached(a, "node-1"), NodeAttached(b, "node-2")):
        engine.append([entry])
    (command,) = engine.append([Command("disconnect", authid="7", id="k", given_s=100)])
    engine.append([Obeyed(a, 1, command.sequence, {"sessions": 2})])
    engine.close()
    state = open_engine().state
    assert [row.name for row in state.nodes.rows] == ["node-1", "node-2"]
    assert state.commands.get(command.sequence).outcomes() == {"node-1": {"sessions": 2}, "node-2": "pending"}
    assert state.last_report(a) == 1
    assert state.revoked.by_user == {"7": 100}


def test_a_receipt_is_asked_for_with_its_push_or_not_at_all(engine):
    asked = Command(RECEIPT)
    first, number = engine.append([push("k"), asked])
    assert number == Position(first.epoch, first.sequence + 1)
    known, again = engine.append([push("k"), asked])
    assert known == Known(first)
    assert isinstance(again, Failed)


def test_a_node_numbers_what_it_says_of_its_users(engine):
    a = "a" * 16
    topics = (TopicChanges("v1.room.7", on=("ann",)),)

    def say(batch):
        return engine.append([PresenceChanges(a, batch, topics, 1)])[0]

    assert isinstance(say(1), Failed)
    engine.append([NodeAttached(a, "node-1")])
    assert [isinstance(say(batch), Position) for batch in (2, 1, 1, 2)] == [False, True, False, True]
    assert engine.state.last_batch(a) == 2
    engine.append([NodeGone(a)])
    assert isinstance(say(3), Failed)
