"""A line of the log that strangers can cause."""

from stork_node.rarely import Rarely


def test_a_kind_is_said_once_in_a_while_with_what_was_not_said():
    rarely = Rarely(60)
    assert rarely.due("origin", 0) == 0
    assert [rarely.due("origin", now) for now in (0, 1, 59.9)] == [None, None, None]
    assert rarely.due("host", 30) == 0
    assert rarely.due("origin", 60) == 3
    assert rarely.due("origin", 61) is None
    assert rarely.due("origin", 1000) == 1
