"""A node's own side: incarnations, leases and reports; and its table of nodes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.errors import ConfigError
from stork_node.nodes.attachment import Attachment, new_incarnation
from stork_node.nodes.followed import FollowedNodes
from stork_node.nodes.log_state import LogState
from stork_node.nodes.names import node_name
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed, StateEntry, StateFrame
from stork_node.protocol.commands.leases import MOST_REPORTS, Lease, Leased, Nodes, NodeState, Report
from stork_node.protocol.positions import Position

COUNTS = {"sessions": 1}


def frame(sequence: int, content: StateEntry, epoch: str = "e") -> StateFrame:
    return StateFrame(Position(epoch, sequence), "run", content)


def attachment() -> Attachment:
    numbers = itertools.count(1)
    return Attachment("node-1", "26.11", lambda: f"i{next(numbers)}")


def attached(at: int = 1) -> Attachment:
    node = attachment()
    node.met(frame(at, NodeAttached("i1", "node-1")))
    return node


def reports(node: Attachment) -> list[int]:
    return [report.command for report in node.lease(None, 0).reports]


def test_incarnations_are_random_names():
    assert new_incarnation() != new_incarnation()
    assert len(new_incarnation()) == 16


def test_a_lease_says_where_the_node_is():
    node = attachment()
    assert node.lease(None, 0) == Lease("i1", "node-1", "26.11", number=1)
    assert node.lease(Position("e", 4), 3) == Lease("i1", "node-1", "26.11", "e", 4, 3, number=2)
    assert node.farewell().leaves


def test_commands_after_attaching_are_reported_until_the_log_has_it():
    node = attached(at=5)
    node.obeyed(Position("e", 4), COUNTS)
    node.obeyed(Position("other", 9), COUNTS)
    assert not node.has_news
    for sequence in (6, 7, 8):
        node.obeyed(Position("e", sequence), COUNTS)
    assert node.lease(None, 0).reports == tuple(Report(n, n + 5, COUNTS) for n in (1, 2, 3))
    node.met(frame(9, Obeyed("i1", 2, 7, COUNTS)))
    node.met(frame(10, Obeyed("i2", 9, 7, COUNTS)))
    assert reports(node) == [8]


def test_a_node_that_has_not_attached_reports_nothing():
    node = attachment()
    node.obeyed(Position("e", 4), COUNTS)
    assert (node.is_attached, reports(node)) == (False, [])


def test_a_lease_has_no_more_reports_than_a_server_reads():
    node = attached()
    for sequence in range(2, MOST_REPORTS + 9):
        node.obeyed(Position("e", sequence), COUNTS)
    assert len(reports(node)) == MOST_REPORTS


def test_a_node_that_is_gone_takes_a_new_incarnation():
    node = attached()
    node.obeyed(Position("e", 2), COUNTS)
    node.met(frame(3, NodeGone("i9")))
    assert node.incarnation == "i1"
    node.met(frame(4, NodeGone("i1")))
    assert (node.incarnation, node.is_attached, node.has_news) == ("i2", False, False)
    node.met(frame(5, NodeGone("i1")))
    assert (node.incarnation, node.goodbyes()) == ("i2", [])


def test_a_node_learns_that_it_is_gone_from_its_lease():
    node = attached()
    node.answered(Leased("i1", 1, "e", "run", 9, "attached"))
    node.answered(Leased("i0", 1, "e", "run", 9, "gone"))
    assert node.incarnation == "i1"
    node.answered(Leased("i1", 2, "e", "run", 9, "gone"))
    assert node.incarnation == "i2"


def test_after_a_break_the_former_incarnation_says_goodbye():
    node = attached()
    node.begin_anew()
    assert [(each.incarnation, each.leaves) for each in node.goodbyes()] == [("i1", True)]
    assert (node.goodbyes(), node.incarnation) == ([], "i2")


@given(st.lists(st.sampled_from(["command", "lease", "lost", "freeze", "other"]), max_size=40))
def test_a_log_and_a_node_agree_whatever_is_lost(events: list[str]):
    """A model: a server that appends what it accepts, a node that follows, and leases of which some are lost."""
    state, node, log = LogState(Position("e", 0)), attachment(), []

    def append(entry: StateEntry) -> None:
        if state.accepts(entry):
            log.append(entry)
            state.apply(entry, len(log))

    def follow(after: int) -> int:
        for sequence, entry in enumerate(log[after:], after + 1):
            node.met(frame(sequence, entry))
            if isinstance(entry, Command):
                node.obeyed(Position("e", sequence), COUNTS)
        return len(log)

    followed = 0
    for event in [*events, "lease", "lease", "lease"]:
        if event == "command":
            append(Command("refresh", authid="7"))
        elif event == "other":
            append(NodeAttached(f"x{len(log)}", "node-1"))
        elif event == "freeze":
            append(NodeGone(node.incarnation))
        else:
            said = node.lease(None, 0)
            append(NodeAttached(said.incarnation, said.name))
            for report in said.reports:
                append(Obeyed(said.incarnation, report.report, report.command, report.counts))
            at = "attached" if said.incarnation in state.nodes else "gone"
            if event == "lease":
                node.answered(Leased(said.incarnation, said.number, "e", "run", len(log), at))
                followed = follow(followed)
    assert node.incarnation in state.nodes
    for given_command in state.commands.given:
        for outcome in given_command.nodes:
            if outcome.incarnation.startswith("i"):
                assert outcome.outcome in (COUNTS, "gone")


# -- the table ---------------------------------------------------------------------------------------------------------


def snapshot(tail: int, *incarnations: str, epoch: str = "e") -> Nodes:
    rows = tuple(NodeState(each, each, "node", "", n) for n, each in enumerate(incarnations, 1))
    return Nodes(epoch, "run", tail, rows)


def names(nodes: FollowedNodes) -> list[str]:
    return [row.incarnation for row in nodes.table.rows]


def test_entries_that_came_before_the_snapshot_count_once():
    nodes = FollowedNodes()
    nodes.take(frame(2, NodeGone("i1")))
    nodes.take(frame(4, NodeAttached("i3", "node")))
    nodes.load(snapshot(3, "i2"), "e")
    assert names(nodes) == ["i2", "i3"]
    nodes.take(frame(4, NodeAttached("i9", "node")))
    nodes.take(frame(5, NodeGone("i2")))
    assert names(nodes) == ["i3"]


def test_a_snapshot_of_another_epoch_is_not_taken():
    nodes = FollowedNodes()
    nodes.load(snapshot(3, "i2", epoch="other"), "e")
    assert (nodes.wants_snapshot, names(nodes)) == (True, [])
    nodes.load(snapshot(3, "i2"), "e")
    nodes.load(snapshot(9), "e")
    assert (nodes.wants_snapshot, names(nodes)) == (False, ["i2"])
    nodes.begin()
    assert (nodes.wants_snapshot, names(nodes)) == (True, [])


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "host", "name"),
    [
        ({}, "web1.example.com", "web1.example.com"),
        ({"STORK_NODE_NAME": ""}, "web1", "web1"),
        ({"STORK_NODE_NAME": "node-1"}, "web1", "node-1"),
        ({}, "größe " + "x" * 80, "gr--e-" + "x" * 58),
        ({}, "", "node"),
    ],
)
def test_a_node_has_the_name_of_its_host_or_the_given_one(environ, host, name):
    assert node_name(environ, host) == name


@pytest.mark.parametrize("given", ["node 1", "ä", "x" * 65, "a~2"])
def test_a_name_with_other_characters_is_refused(given):
    with pytest.raises(ConfigError, match="STORK_NODE_NAME: "):
        node_name({"STORK_NODE_NAME": given}, "web1")
