"""When a new epoch's table of who is online is the truth."""

import pytest

from stork_node.nodes.log_state import LogState
from stork_node.presence.settling import SETTLING_S, Reporting, Settling
from stork_node.protocol.commands.entries import NodeAttached
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceSettled

DONE, BUSY = Reporting("a", True, 0.0), Reporting("b", False, 0.0)
OLD, SILENT = Reporting("c", None, 0.0), Reporting("b", False, SETTLING_S)


@pytest.mark.parametrize(
    ("nodes", "awaited", "after_s", "is_over"),
    [
        ([DONE], {"a"}, 0.0, True),
        ([DONE], {"a", "b"}, 0.0, False),
        ([DONE], {"a", "b"}, SETTLING_S, True),
        ([DONE], None, 0.0, False),
        ([DONE], None, SETTLING_S, True),
        ([DONE, BUSY], {"a", "b"}, 0.0, False),
        ([DONE, BUSY], {"a", "b"}, 2 * SETTLING_S, False),
        ([DONE, BUSY], {"a", "b"}, 60.0, True),
        ([DONE, SILENT], {"a", "b"}, SETTLING_S, True),
        ([DONE, OLD], {"a", "c"}, 0.0, False),
        ([DONE, OLD], {"a", "c"}, SETTLING_S, True),
        ([], {"a"}, SETTLING_S, True),
        ([], set(), 0.0, True),
    ],
)
def test_settled_when_all_have_reported_or_are_silent(nodes, awaited, after_s, is_over):
    settling = Settling()
    settling.is_over([], {"nobody"}, 100.0)
    assert settling.is_over(nodes, awaited, 100.0 + after_s) is is_over


def test_each_epoch_waits_anew():
    settling = Settling()
    assert not settling.is_over([], None, 0.0)
    settling.begin_anew()
    assert not settling.is_over([], None, SETTLING_S)


def test_the_nodes_of_the_epoch_before_are_awaited():
    state = LogState(Position("e", 0))
    state.apply(NodeAttached("i1", "a"), 1)
    assert state.awaited_next() == {"a"}
    state = LogState(Position("f", 0), is_settled=False, awaited=state.awaited_next())
    state.apply(NodeAttached("i2", "b"), 1)
    assert state.awaited_next() == {"a", "b"}
    state.apply(PresenceSettled(0), 2)
    assert state.awaited_next() == {"b"}


def test_where_the_nodes_before_are_unknown_they_stay_unknown():
    assert LogState(Position("e", 0), is_settled=False).awaited_next() is None
