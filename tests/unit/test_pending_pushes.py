from stork_node.clients.pending_pushes import PendingPush, PendingPushes
from stork_node.errors import PushRefused
from stork_node.protocol.answers import encode_refused, encode_stored, encode_tail
from stork_node.protocol.positions import Position


def at(sequence: int) -> Position:
    return Position("e", sequence)


def test_an_answer_settles_the_ticket_of_its_id():
    first, second = PendingPush("a", b"1"), PendingPush("b", b"2")
    outstanding = PendingPushes([first, second])
    assert outstanding.settle(encode_stored("b", at(2))) is second
    assert (first.outcome, second.outcome) == (None, "e:2")
    assert outstanding.frames() == [b"1"]
    assert outstanding.settle(encode_stored("a", at(1))) is first
    assert len(outstanding) == 0


def test_a_refusal_is_an_outcome():
    pending_push = PendingPush("a", b"1")
    assert PendingPushes([pending_push]).settle(encode_refused("a", "storage_failed", "disk full")) is pending_push
    assert isinstance(pending_push.outcome, PushRefused)
    assert (pending_push.outcome.error, pending_push.outcome.reason) == ("storage_failed", "disk full")


def test_an_answer_that_nobody_waits_for_settles_nothing():
    pending_push = PendingPush("a", b"1")
    outstanding = PendingPushes([pending_push])
    for frame in (encode_stored("b", at(1)), encode_stored(None, at(1)), encode_tail(at(1)), b"garbage"):
        assert outstanding.settle(frame) is None
    assert pending_push.outcome is None
    assert len(outstanding) == 1


def test_equal_ids_are_settled_in_the_order_in_which_they_were_sent():
    first, second = PendingPush("a", b"1"), PendingPush("a", b"2")
    outstanding = PendingPushes([first, second])
    assert outstanding.settle(encode_stored("a", at(1))) is first
    assert outstanding.settle(encode_stored("a", at(1), duplicate=True)) is second
    assert outstanding.settle(encode_stored("a", at(1))) is None


def test_requests_of_the_position_are_settled_in_order_beside_pushes():
    asked, pushed = PendingPush(None, b"?"), PendingPush("a", b"1")
    outstanding = PendingPushes([asked, pushed])
    assert outstanding.settle(encode_stored("a", at(2))) is pushed
    assert outstanding.settle(encode_tail(at(1))) is asked
    assert asked.outcome == "e:1"


def test_a_dropped_ticket_is_neither_settled_nor_sent_again():
    first, second = PendingPush("a", b"1"), PendingPush("b", b"2")
    outstanding = PendingPushes([first, second])
    outstanding.drop(first)
    outstanding.drop(first)
    assert outstanding.frames() == [b"2"]
    assert outstanding.settle(encode_stored("a", at(1))) is None
