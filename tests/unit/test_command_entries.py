"""Entries of commands and nodes: their frames, their place in the log, and their way through a relay."""

import json

import pytest
from msgspec import to_builtins

from stork_node.cli.log import _describe
from stork_node.errors import InvalidFrame
from stork_node.protocol.bus import NODES_PREFIX, PREFIX, decode_frame, encode_heartbeat, encode_push_frame
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.entries import (
    NodeAttached,
    NodeGone,
    Obeyed,
    StateEntry,
    StateFrame,
    encode_state_frame,
    entry_kind,
)
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.protocol.replay import Page, PageHeader
from stork_node.push_log import SegmentLog
from stork_node.push_log.entries import ATTACHED, COMMAND, GONE, OBEYED
from stork_node.push_log.inspection import read_records
from stork_node.relay.history_settings import HistorySettings
from stork_node.relay.stream import Ask, Events, NodeStream, State

AT = Position("e", 14)
ENTRIES: list[tuple[StateEntry, int]] = [
    (Command("disconnect", authid="7", reason="é", id="k"), COMMAND),
    (NodeAttached("i1", "node-1", "26.11"), ATTACHED),
    (NodeGone("i1", "left"), GONE),
    (Obeyed("i1", 1, 12, {"sessions": 2}), OBEYED),
]
CONTENTS = [content for content, _ in ENTRIES]
PUSH = Push(("v1.a.1",), "t", b"1", "2026-01-31T12:00:00.000Z")


@pytest.mark.parametrize("content", CONTENTS, ids=entry_kind)
def test_a_frame_comes_back_as_it_was_written(content):
    frame = encode_state_frame(AT, "run", content, "proof")
    assert frame.startswith(b"stork 1 %b {" % entry_kind(content).encode())
    assert decode_frame(frame) == StateFrame(AT, "run", content, "proof")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (encode_state_frame(AT, "run", Command("disconnect")), "its command: authid: missing"),
        (encode_state_frame(AT, "run", NodeAttached("", "node-1")), "its header: "),
        (encode_state_frame(AT, "run", NodeAttached("i", "node 1")), "its header: "),
        (encode_state_frame(AT, "run", Obeyed("i", 0, 1, {})), "its header: "),
        (encode_state_frame(AT, "run", Obeyed("i", 1, 1, {str(i): 1 for i in range(9)})), "its header: "),
        (encode_state_frame(AT, "run", NodeGone("i")) + b"\n{}", "or its event is missing"),
        (encode_state_frame(Position("e e", 1), "run", NodeGone("i")), "its epoch: "),
    ],
)
def test_a_frame_that_no_publish_server_writes_is_refused(frame, reason):
    with pytest.raises(InvalidFrame, match=reason):
        decode_frame(frame)


def test_no_frame_begins_with_what_tells_relays_apart():
    frames = [encode_state_frame(AT, "run", content) for content in CONTENTS]
    frames += [encode_push_frame(AT, "run", PUSH), encode_heartbeat(AT, "run", "now", {})]
    assert all(frame.startswith(PREFIX) and not frame.startswith(NODES_PREFIX) for frame in frames)


def test_entries_have_numbers_kinds_and_ids_in_the_log(tmp_path):
    with SegmentLog(tmp_path) as log:
        entries = log.append([PUSH, *CONTENTS])
        assert [entry.position.sequence for entry in entries] == [1, 2, 3, 4, 5]
        assert [entry.kind for entry in entries[1:]] == [kind for _, kind in ENTRIES]
        assert [entry.id for entry in entries[1:]] == ["k", "", "", ""]
        assert [decode_frame(frame).content for frame in log.read(1).frames] == CONTENTS
        assert [stored for _, stored in log.recent_ids()] == [[("k", Position(log.tail.epoch, 2))]]
    lines = [_describe(position, record) for position, record in read_records(tmp_path)]
    assert [line["content"] for line in lines[1:]] == [to_builtins(content) for content in CONTENTS]
    assert json.loads(json.dumps(lines)) == [*map(json.loads, map(json.dumps, lines))]


def test_an_erasure_leaves_commands_about_the_topic(tmp_path):
    with SegmentLog(tmp_path) as log:
        log.append([PUSH, Command("unsubscribe", topic="v1.a.1")])
        assert sum(log.erase("v1.a.1")) == 1
        assert [frame and decode_frame(frame).content.kind for frame in log.read(0).frames] == [None, "unsubscribe"]


def page(after: int, last: int, tail: int, *frames: bytes) -> Page:
    return Page(PageHeader("e", "run", 0, tail, after, last), list(frames))


def test_a_relay_hands_entries_on_between_the_events_around_them():
    stream = NodeStream(HistorySettings())
    heartbeat = decode_frame(encode_heartbeat(Position("e", 0), "run", "now", {}))
    assert [type(action) for action in stream.take([heartbeat], 0.0)] == [Ask]
    stream.answer(page(0, 0, 0), 0.0)
    pushes = [decode_frame(encode_push_frame(Position("e", n), "run", PUSH)) for n in (1, 3)]
    command = decode_frame(encode_state_frame(Position("e", 2), "run", CONTENTS[0]))
    assert stream.take([pushes[0], command, pushes[1]], 0.0) == [
        Events([pushes[0]]),
        State(command),
        Events([pushes[1]]),
    ]


def test_a_relay_hands_on_entries_from_before_its_start():
    stream = NodeStream(HistorySettings())
    stream.take([decode_frame(encode_heartbeat(Position("e", 2), "run", "now", {}))], 0.0)
    frame = encode_state_frame(Position("e", 1), "run", CONTENTS[0])
    push = encode_push_frame(Position("e", 2), "run", PUSH)
    assert stream.answer(page(0, 2, 2, frame, push), 0.0) == [State(decode_frame(frame))]
    assert stream.position == Position("e", 2)
