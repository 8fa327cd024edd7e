"""The table of ``stork status``."""

from stork_node.cli.deployment.status import as_object, lines, trouble
from stork_node.protocol.commands.leases import Nodes, NodeState

ONE = NodeState("node-1", "i1", "node-1", "26.11", 1, 1_000, 1_234, 0.2)
TWO = NodeState("node-1~2", "i2", "node-1", "", 2, 3, 0, 4.6, "silent")
COUNTED = {"accepted": 100.0, "commands": 1.0}


def nodes(**counters: float) -> Nodes:
    return Nodes("e", "run", 1_003, (ONE, TWO), (), 1, COUNTED | counters)


def test_each_node_has_a_row():
    assert lines(nodes(), None, 0.0) == [
        "position e:1003, nodes: 3",
        "node-1~2 has said nothing for 5 s",
        "several nodes are named node-1: set STORK_NODE_NAME on each",
        "nodes of a release that obeys no commands: 1",
        "",
        "NODE      STATE     VERSION  BEHIND  SESSIONS",
        "node-1    attached  26.11    3       1,234",
        "node-1~2  silent    -        1,000   0",
        "old-1     old       -        -       -",
    ]


def test_rates_are_those_since_the_answer_before():
    table = lines(nodes(accepted=2_100.0, storage_failed=4.0), nodes(), 2.0)
    assert table[1] == "pushes: 1,000/s, commands: 0/s, refused: 0/s, not stored: 2/s"


def test_all_is_well_without_a_sentence():
    well = Nodes("e", "run", 1_003, (ONE,))
    assert trouble(well) == []
    assert trouble(Nodes("e", "run", 1, (), counters={"log_trouble": 1.0})) == [
        "the log has trouble: see the publish server's log"
    ]


def test_the_object_has_what_the_table_has():
    told = as_object(nodes())
    assert (told["position"], told["old"], told["counters"]["accepted"]) == ("e:1003", 1, 100.0)
    assert told["nodes"][1] == {
        "node": "node-1~2",
        "incarnation": "i2",
        "version": "",
        "position": "e:3",
        "behind": 1_000,
        "sessions": 0,
        "silent_s": 4.6,
        "state": "silent",
    }
