"""A value of a kind that the code does not know is an error, and not taken for another kind."""

import pytest

from stork_node.cli.log import _describe
from stork_node.errors import InvalidFrame
from stork_node.protocol.bus import encode_heartbeat
from stork_node.protocol.positions import Position
from stork_node.push_log.entries import ERASURE, Erasure, number_entries
from stork_node.push_log.proofs import Proofs
from stork_node.push_log.segment_files.records import Record
from stork_node.relay.history_settings import HistorySettings
from stork_node.relay.stream import NodeStream

TAIL = Position("e", 1)


class UnknownKind:
    topic = "v1.orders.42"


def test_an_addition_of_an_unknown_kind_gets_no_number():
    entries = number_entries([Erasure("v1.orders.42"), UnknownKind()], TAIL, "run", Proofs("key"))
    assert next(entries).kind == ERASURE
    with pytest.raises(AssertionError, match="UnknownKind"):
        next(entries)


def test_a_step_of_an_unknown_kind_is_no_request():
    stream = NodeStream(HistorySettings())
    stream.follower.take = lambda frames, now: [UnknownKind()]
    with pytest.raises(AssertionError, match="UnknownKind"):
        stream.take([], 0.0)


def test_cat_refuses_a_frame_that_is_no_entry():
    frame = encode_heartbeat(TAIL, "run", "2026-01-31T12:00:00.000Z", {})
    with pytest.raises(InvalidFrame, match="a heartbeat at e:1"):
        _describe(TAIL, Record(1, True, 1, 0, b"", frame, 0))
