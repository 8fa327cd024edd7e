"""Nodes and commands at the publish server: raw peers say leases and reports, and give commands."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import zmq
from msgspec import structs

from stork_node.nodes import leases
from stork_node.protocol.bus import NODES_PREFIX, Heartbeat, PushFrame, decode_frame
from stork_node.protocol.commands.documents import Command, encode_command
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed, StateFrame
from stork_node.protocol.commands.leases import (
    Lease,
    Leased,
    NodeAnswer,
    NodeRequest,
    Nodes,
    NodesRequest,
    Report,
    encode_node_request,
)
from stork_node.protocol.replay import ReplayRefused, decode_node_answer
from stork_node.publish_server import intake
from tests.components.replaying import ask_page, request
from tests.components.served import Peer, peer, serving, settings, wait_for
from tests.malformed import document


def say(socket: Peer, said: NodeRequest) -> NodeAnswer:
    socket.send(encode_node_request(said))
    return decode_node_answer(socket.recv_multipart())


def lease(incarnation: str, *reports: Report, **fields: Any) -> Lease:
    return Lease(incarnation, fields.pop("name", "node-1"), "26.11", reports=reports, **fields)


def give(pusher: Peer, kind: str = "disconnect", **fields: Any) -> None:
    pusher.send(encode_command(kind, **({"authid": "7"} | fields)))


def answer_of(pusher: Peer) -> dict[str, Any]:
    return json.loads(pusher.recv())


def next_entry(bus: Peer) -> StateFrame:
    while not isinstance(frame := decode_frame(bus.recv()), StateFrame):
        assert isinstance(frame, Heartbeat | PushFrame)
    return frame


def as_a_node(socket: Peer) -> None:
    socket.subscribe(NODES_PREFIX)


@contextmanager
def joined(server: Any) -> Iterator[tuple[Peer, Peer, Peer]]:
    """A bus, a node's socket for leases, and a pusher."""
    with (
        peer(zmq.SUB, server.pub_endpoint, as_a_node) as bus,
        peer(zmq.DEALER, server.replay_endpoint) as node,
        peer(zmq.DEALER, server.router_endpoint) as pusher,
    ):
        decode_frame(bus.recv())  # it is subscribed
        yield bus, node, pusher


@pytest.fixture
def peers():
    with serving() as server, joined(server) as found:
        yield found


def test_pages_say_that_the_server_understands_leases(peers):
    assert ask_page(peers[1], request()).header.nodes


def test_a_lease_attaches_and_a_goodbye_ends_a_node(peers):
    bus, node, _ = peers
    leased = say(node, lease("i1"))
    assert isinstance(leased, Leased)
    assert (leased.tail, leased.state, leased.reports) == (1, "attached", 0)
    attached = next_entry(bus)
    assert (attached.content, attached.position.sequence) == (NodeAttached("i1", "node-1", "26.11"), 1)
    assert say(node, lease("i1")) == leased
    assert say(node, lease("i1", leaves=True)).state == "gone"
    assert next_entry(bus).content == NodeGone("i1", "left")
    assert say(node, lease("i1")).state == "gone"


def test_the_table_has_every_node_with_a_name_of_its_own(peers):
    _, node, _ = peers
    say(node, lease("i1"))
    epoch = say(node, lease("i2", sessions=3)).epoch
    say(node, lease("i2", epoch=epoch, position=2, sessions=3))
    table = say(node, NodesRequest())
    assert isinstance(table, Nodes)
    assert [(row.node, row.incarnation, row.attached, row.position, row.sessions) for row in table.nodes] == [
        ("node-1", "i1", 1, 0, 0),
        ("node-1~2", "i2", 2, 2, 3),
    ]
    assert [row.state for row in table.nodes] == ["attached", "attached"]
    assert (table.tail, table.old, table.counters["log_nodes"]) == (2, 0, 2)


def test_a_command_without_nodes_is_complete_at_once(peers):
    bus, _, pusher = peers
    give(pusher, reason="bye", id="k")
    answer = answer_of(pusher)
    frame = next_entry(bus)
    assert isinstance(frame.content, Command)
    assert structs.replace(frame.content, given_s=0) == Command("disconnect", authid="7", reason="bye", id="k")
    table = say(peers[1], NodesRequest(revoked=True))
    assert isinstance(table, Nodes)
    assert table.revoked == {"7": frame.content.given_s}
    assert answer == {"ok": True, "id": "k", "complete": True, "position": str(frame.position), "nodes": {}}


def test_a_command_is_answered_when_every_node_has_obeyed(peers):
    bus, node, pusher = peers
    for incarnation in ("i1", "i2"):
        say(node, lease(incarnation))
    give(pusher)
    for _ in range(2):
        next_entry(bus)
    number = next_entry(bus).position.sequence
    pusher.send(document(id="p"))
    assert answer_of(pusher)["id"] == "p"  # other documents do not wait for a command
    say(node, lease("i1", Report(1, number, {"sessions": 2})))
    say(node, lease("i1", Report(1, number, {"sessions": 9}), Report(3, number, {})))  # not the next numbers
    say(node, lease("i2", Report(1, number, {"sessions": 0})))
    assert answer_of(pusher) == {
        "ok": True,
        "id": None,
        "complete": True,
        "position": f"{say(node, lease('i1')).epoch}:{number}",
        "nodes": {"node-1": {"sessions": 2}, "node-1~2": {"sessions": 0}},
    }
    obeyed = [next_entry(bus).content for _ in range(2)]
    assert obeyed == [Obeyed("i1", 1, number, {"sessions": 2}), Obeyed("i2", 1, number, {"sessions": 0})]


def test_a_repeated_id_is_obeyed_once_and_answered_alike(peers):
    _, node, pusher = peers
    say(node, lease("i1"))
    give(pusher, id="k", timeout_ms=0)
    pending = answer_of(pusher)
    assert (pending["complete"], pending["nodes"]) == (False, {"node-1": "pending"})
    give(pusher, id="k")
    tail = say(node, lease("i1", Report(1, 2, {"sessions": 1}))).tail
    done = answer_of(pusher)
    assert done == pending | {"complete": True, "nodes": {"node-1": {"sessions": 1}}}
    give(pusher, id="k")
    assert answer_of(pusher) == done
    give(pusher, id="k", authid="8")
    assert answer_of(pusher)["error"] == "id_reused"
    pusher.send(document(id="k"))
    assert answer_of(pusher)["error"] == "id_reused"
    assert say(node, lease("i1")).tail == tail


def test_a_push_with_a_receipt_waits_until_every_node_has_written_it(peers):
    bus, node, pusher = peers
    for incarnation in ("i1", "i2"):
        say(node, lease(incarnation))
    pusher.send(document(id="r", receipt=True))
    pusher.send(document(id="p"))
    assert answer_of(pusher)["id"] == "p"  # other documents do not wait for a receipt
    frames = [decode_frame(bus.recv()) for _ in range(5)]
    push, asked = [frame for frame in frames if not isinstance(frame, Heartbeat)][2:4]
    assert isinstance(push, PushFrame)
    assert isinstance(asked, StateFrame)
    assert (push.receipt, asked.content) == (True, Command("receipt"))
    assert asked.position.sequence == push.position.sequence + 1
    counts = {"sent": 2, "slow": 0, "cut": 1, "excluded": 1}
    say(node, lease("i1", Report(1, asked.position.sequence, counts)))
    say(node, lease("i2", leaves=True))
    answer = answer_of(pusher)
    receipt = {"node-1": counts, "node-1~2": "gone"}
    assert answer == {"ok": True, "id": "r", "position": str(push.position), "receipt": receipt}
    pusher.send(document(id="r", receipt=True))
    assert answer_of(pusher) == answer | {"duplicate": True}
    pusher.send(document(id="r"))
    assert answer_of(pusher) == {key: value for key, value in answer.items() if key != "receipt"} | {"duplicate": True}
    pusher.send(b'{"outcome":"%b","id":"o"}' % str(asked.position).encode())
    assert answer_of(pusher)["error"] == "not_found"


def test_a_receipt_that_a_node_does_not_give_is_pending(peers, monkeypatch):
    monkeypatch.setattr(intake, "RECEIPT_TIMEOUT_MS", 100)
    _, node, pusher = peers
    say(node, lease("i1"))
    pusher.send(document(id="r", receipt=True))
    assert answer_of(pusher)["receipt"] == {"node-1": "pending"}
    say(node, lease("i1", Report(1, 3, {"sent": 1})))
    pusher.send(document(id="r", receipt=True))
    assert answer_of(pusher)["receipt"] == {"node-1": {"sent": 1}}


def test_the_outcome_of_a_command_is_asked_for_later(peers):
    _, node, pusher = peers
    say(node, lease("i1"))
    give(pusher, id="k", timeout_ms=0)
    given = answer_of(pusher)
    question = b'{"outcome":"%b","id":"o"}' % given["position"].encode()
    pusher.send(question)
    assert answer_of(pusher) == given | {"id": "o"}
    say(node, lease("i1", Report(1, 2, {"sessions": 3})))
    pusher.send(question)
    assert answer_of(pusher) == given | {"id": "o", "complete": True, "nodes": {"node-1": {"sessions": 3}}}
    for position in ("other:2", given["position"][:-1] + "1", "x", given["position"] + "0"):
        pusher.send(json.dumps({"outcome": position}).encode())
        refused = answer_of(pusher)
        assert (refused["ok"], refused["error"], refused["id"]) == (False, "not_found", None)


def test_a_node_that_leaves_keeps_no_command_waiting(peers):
    bus, node, pusher = peers
    for incarnation in ("i1", "i2"):
        say(node, lease(incarnation))
    give(pusher)
    for _ in range(3):
        next_entry(bus)
    say(node, lease("i1", leaves=True))
    say(node, lease("i2", Report(1, 3, {"sessions": 0})))
    assert answer_of(pusher)["nodes"] == {"node-1": "gone", "node-1~2": {"sessions": 0}}


def test_a_silent_node_is_gone(monkeypatch):
    monkeypatch.setattr(leases, "LEASE_S", 0.3)
    with serving() as server, joined(server) as (bus, node, pusher):
        say(node, lease("i1"))
        give(pusher)
        answer = answer_of(pusher)
        assert (answer["complete"], answer["nodes"]) == (True, {"node-1": "gone"})
        entries = [next_entry(bus).content for _ in range(3)]
        assert entries[2] == NodeGone("i1", "silent")
        assert say(node, lease("i1")).state == "gone"


def test_a_relay_of_an_older_release_is_told_of_as_old(peers):
    _, node, pusher = peers
    with peer(zmq.SUB, peers[0].getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")) as old:
        decode_frame(old.recv())
        wait_for(lambda: say(node, NodesRequest()).old == 1, "an old relay")
        give(pusher, timeout_ms=0)
        answer = answer_of(pusher)
        assert (answer["complete"], answer["nodes"]) == (False, {"old-1": "old"})
        give(pusher)
    assert answer_of(pusher)["complete"]  # it has left


@pytest.mark.parametrize("ended", ["obeyed", "pending"])
def test_a_command_is_answered_alike_after_a_restart(tmp_path, ended):
    chosen = settings(data=tmp_path)
    with serving(chosen) as server, joined(server) as (_, node, pusher):
        say(node, lease("i1"))
        give(pusher, id="k", timeout_ms=0)
        before = answer_of(pusher)
        if ended == "obeyed":
            say(node, lease("i1", Report(1, 2, {"sessions": 1})))
    with serving(chosen) as server, joined(server) as (_, node, pusher):
        give(pusher, id="k")
        if ended == "pending":
            wait_for(lambda: say(node, lease("i1", Report(1, 2, {"sessions": 1}))).reports == 1, "a report")
        answer = answer_of(pusher)
        assert answer == before | {"complete": True, "nodes": {"node-1": {"sessions": 1}}}
        give(pusher, id="k", authid="8")
        assert answer_of(pusher)["error"] == "id_reused"
        pusher.send(document(id="k"))
        assert answer_of(pusher)["error"] == "id_reused"


def test_who_waits_when_the_server_stops_is_told_as_things_are():
    with serving() as server, joined(server) as (_, node, pusher):
        say(node, lease("i1"))
        give(pusher)
        wait_for(lambda: say(node, lease("i1")).tail == 2, "the command")
        server.stop()
        answer = answer_of(pusher)
        assert (answer["complete"], answer["nodes"]) == (False, {"node-1": "pending"})


def test_a_malformed_command_is_refused(peers):
    pusher = peers[2]
    pusher.send(b'{"command":"disconnect","id":"k"}')
    assert answer_of(pusher) == {
        "ok": False,
        "id": "k",
        "error": "invalid_command",
        "reason": "authid: missing (disconnect names exactly one of authid, session, role, topic)",
    }


def test_a_malformed_lease_is_refused(peers):
    node = peers[1]
    node.send(b'stork 1 lease {"incarnation":""}')
    with pytest.raises(ReplayRefused):
        decode_node_answer(node.recv_multipart())


def push(pusher: Peer, topic: str, **fields: Any) -> dict[str, Any]:
    pusher.send(document(topics=[topic], **fields))
    return answer_of(pusher)


UNDECLARED = "no application declares the feed v1.oders: no client can subscribe to it"


def test_a_push_to_a_feed_that_no_node_declares_is_stored_with_a_warning(peers, caplog):
    _, node, pusher = peers
    assert "warning" not in push(pusher, "v1.oders.1")
    say(node, lease("i1", feeds=("v1.orders", "pusher.*")))
    answer = push(pusher, "v1.oders.1", id="k")
    assert (answer["ok"], answer["warning"]) == (True, UNDECLARED)
    again = push(pusher, "v1.oders.1", id="k")
    assert (again["duplicate"], again["warning"], again["position"]) == (True, UNDECLARED, answer["position"])
    assert "warning" not in push(pusher, "v1.orders.1")
    assert "warning" not in push(pusher, "pusher.public.chat")
    lines = [record.message for record in caplog.records if "reaches nobody" in record.message]
    assert len(lines) == 1
    assert lines[0].endswith(f"reaches nobody: {UNDECLARED}")


def test_there_is_no_warning_while_a_node_does_not_say_its_feeds(peers):
    _, node, pusher = peers
    say(node, lease("i1", feeds=("v1.orders",)))
    say(node, lease("i2"))
    assert "warning" not in push(pusher, "v1.oders.1")
    say(node, lease("i2", feeds=()))
    assert push(pusher, "v1.oders.1")["warning"] == UNDECLARED
    say(node, lease("i2", feeds=("v1.oders",)))
    assert "warning" not in push(pusher, "v1.oders.1")
    say(node, lease("i2", leaves=True))
    assert push(pusher, "v1.oders.1")["warning"] == UNDECLARED


def test_there_is_no_warning_beside_a_node_of_a_release_without_leases(peers):
    _, node, pusher = peers
    say(node, lease("i1", feeds=("v1.orders",)))
    server_bus = peers[0]
    assert push(pusher, "v1.oders.1")["warning"] == UNDECLARED
    server_bus.unsubscribe(NODES_PREFIX)
    wait_for(lambda: "warning" not in push(pusher, "v1.oders.1"), "the old node is seen")
