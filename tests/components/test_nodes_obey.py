"""Nodes without routers, beside a real publish server: commands, frozen nodes, restarts, new logs."""

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from stork_node.nodes import leases
from stork_node.protocol.commands.documents import encode_command
from stork_node.publish_server import PublishServerSettings
from tests.components.routerless import Node, fixed_settings, run
from tests.components.served import Peer, peer, serving
from tests.link import Link
from tests.malformed import document

BOTH = {"node-1": {"sessions": 1}, "node-2": {"sessions": 1}}


@pytest.fixture
def chosen(tmp_path) -> PublishServerSettings:
    return fixed_settings(tmp_path)


@pytest.fixture
def nodes(chosen) -> Iterator[list[Node]]:
    found = [Node(chosen.pub, chosen.replay, f"node-{n}") for n in (1, 2)]
    yield found
    for node in found:
        node.close()


@pytest.fixture
def pusher(chosen) -> Iterator[Peer]:
    with peer(zmq.DEALER, chosen.router) as socket:
        yield socket


def attached(nodes: list[Node]) -> Callable[[], bool]:
    return lambda: all(node.is_attached for node in nodes)


def answer_of(pusher: Peer, nodes: list[Node]) -> dict[str, Any]:
    run(nodes, lambda: pusher.poll(0))
    return json.loads(pusher.recv())


def test_all_nodes_obey_between_the_pushes_around_a_command(chosen, nodes, pusher):
    with serving(chosen):
        run(nodes, attached(nodes))
        for frame in (document(type="before"), encode_command("refresh", authid="7", id="k"), document(type="after")):
            pusher.send(frame)
        answers = [answer_of(pusher, nodes) for _ in range(3)]
        told = next(answer for answer in answers if "complete" in answer)
        assert told["complete"]
        assert told["nodes"] == BOTH
        run(nodes, lambda: all(len(node.done) == 3 for node in nodes))
        assert [node.done for node in nodes] == [["before", "refresh", "after"]] * 2
        assert {len(node.attending.nodes.table) for node in nodes} == {2}


def test_a_frozen_node_is_pending_and_obeys_before_it_delivers(chosen, nodes, pusher):
    with serving(chosen):
        run(nodes, attached(nodes))
        awake, frozen = nodes
        pusher.send(encode_command("disconnect", authid="7", id="k", timeout_ms=100))
        pusher.send(document(type="after"))
        answers = [answer_of(pusher, [awake]) for _ in range(2)]
        told = next(answer for answer in answers if "complete" in answer)
        assert (told["complete"], told["nodes"]["node-2"]) == (False, "pending")
        run([frozen], lambda: len(frozen.done) == 2)
        assert frozen.done == ["disconnect", "after"]
        pusher.send(encode_command("disconnect", authid="7", id="k"))
        again = answer_of(pusher, nodes)
        assert again == told | {"complete": True, "nodes": BOTH}


def test_a_node_that_was_frozen_for_too_long_attaches_anew(chosen, nodes, pusher, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_S", 0.5)
    with serving(chosen):
        run(nodes, attached(nodes))
        awake, frozen = nodes
        before = frozen.attending._attachment.incarnation
        pusher.send(encode_command("disconnect", authid="7"))
        told = answer_of(pusher, [awake])
        assert (told["complete"], told["nodes"]) == (True, {"node-1": {"sessions": 1}, "node-2": "gone"})
        run(nodes, lambda: frozen.attending._attachment.incarnation != before and frozen.is_attached)
        assert (frozen.done, frozen.breaks) == (["disconnect"], 0)
        pusher.send(encode_command("refresh", authid="7"))
        assert answer_of(pusher, nodes)["nodes"] == BOTH


def test_nodes_stay_attached_while_the_server_restarts(chosen, nodes, pusher):
    with serving(chosen):
        run(nodes, attached(nodes))
        pusher.send(encode_command("disconnect", authid="7", id="k", timeout_ms=0))
        told = answer_of(pusher, [])
        assert not told["complete"]
    with serving(chosen):
        pusher.send(encode_command("disconnect", authid="7", id="k"))
        again = answer_of(pusher, nodes)
        assert again == told | {"complete": True, "nodes": BOTH}
        assert [node.done for node in nodes] == [["disconnect"]] * 2
        assert [node.breaks for node in nodes] == [0, 0]


def test_nodes_attach_anew_to_another_log(chosen, nodes, pusher):
    with serving(chosen):
        run(nodes, attached(nodes))
        before = [node.attending._attachment.incarnation for node in nodes]
    shutil.rmtree(chosen.data)
    with serving(chosen):
        run(nodes, lambda: all(node.breaks for node in nodes))
        run(nodes, attached(nodes))
        assert [node.attending._attachment.incarnation for node in nodes] != before
        pusher.send(encode_command("refresh", authid="7"))
        assert answer_of(pusher, nodes)["nodes"] == BOTH


def test_a_node_that_stops_keeps_no_command_waiting(chosen, nodes, pusher):
    with serving(chosen):
        run(nodes, attached(nodes))
        leaving = nodes.pop()
        pusher.send(encode_command("disconnect", authid="7", timeout_ms=20_000))
        run(nodes, lambda: nodes[0].done)  # it has a number
        leaving.close()
        assert answer_of(pusher, nodes)["nodes"] == {"node-1": {"sessions": 1}, "node-2": "gone"}


@pytest.mark.parametrize("reset", [True, False])
def test_a_node_that_is_cut_off_obeys_when_it_is_back(chosen, pusher, reset):
    with serving(chosen), Link(chosen.pub) as bus, Link(chosen.replay) as replay:
        nodes = [Node(chosen.pub, chosen.replay, "node-1"), Node(bus.endpoint, replay.endpoint, "node-2")]
        run(nodes, attached(nodes))
        for link in (bus, replay):
            link.cut(reset=reset)
        pusher.send(encode_command("disconnect", authid="7", id="k", timeout_ms=100))
        pusher.send(document(type="after"))
        told = next(answer for answer in [answer_of(pusher, nodes) for _ in range(2)] if "complete" in answer)
        assert (told["complete"], told["nodes"]["node-2"]) == (False, "pending")
        for link in (bus, replay):
            link.mend()
        run(nodes, lambda: len(nodes[1].done) == 2)
        assert (nodes[1].done, nodes[1].breaks) == (["disconnect", "after"], 0)
        pusher.send(encode_command("disconnect", authid="7", id="k"))
        assert answer_of(pusher, nodes) == told | {"complete": True, "nodes": BOTH}
        for node in nodes:
            node.close()


def test_a_killed_node_is_gone_and_its_successor_is_another(chosen, nodes, pusher, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_S", 1.0)
    with serving(chosen):
        run(nodes, attached(nodes))
        killed = nodes.pop()
        killed.link.close()  # without a goodbye
        pusher.send(encode_command("disconnect", authid="7"))
        assert answer_of(pusher, nodes)["nodes"] == {"node-1": {"sessions": 1}, "node-2": "gone"}
        nodes.append(Node(chosen.pub, chosen.replay, "node-2"))
        run(nodes, attached(nodes))
        pusher.send(encode_command("refresh", authid="7"))
        assert answer_of(pusher, nodes)["nodes"] == BOTH


def test_a_starting_node_keeps_no_command_waiting_and_obeys_what_it_reads(chosen, nodes, pusher):
    with serving(chosen):
        awake, starting = nodes
        run([awake], attached([awake]))
        pusher.send(encode_command("disconnect", authid="7"))
        told = answer_of(pusher, [awake])
        assert (told["complete"], told["nodes"]) == (True, {"node-1": {"sessions": 1}})
        run(nodes, attached(nodes))
        assert starting.done == ["disconnect"]
        pusher.send(encode_command("refresh", authid="7"))
        assert answer_of(pusher, nodes)["nodes"] == BOTH
