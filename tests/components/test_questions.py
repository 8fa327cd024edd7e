"""Nodes without routers ask each other by a real publish server."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet import defer

from stork_components.questions.deployment import Deployment
from stork_node.nodes.answers import Answers
from stork_node.protocol.commands.questions import MAX_CONTENT_BYTES, MAX_PARAMS_BYTES
from stork_node.publish_server import PublishServerSettings
from tests.components.routerless import Node, fixed_settings, run
from tests.components.served import serving


class AskingNode(Node):
    """Answers ``who`` with its name."""

    def __init__(self, bus: str, replay: str, name: str) -> None:
        self.deployment = Deployment()
        super().__init__(bus, replay, name)
        self.deployment.join(self.reactor, self.link.say, self.attending)
        self.deployment.answer("who", lambda params: [name, params])

    def _leased(self, messages: list[list[bytes]]) -> None:
        super()._leased([message for message in messages if not self.deployment.heard(message)])


@pytest.fixture
def chosen(tmp_path) -> PublishServerSettings:
    return fixed_settings(tmp_path)


@pytest.fixture
def nodes(chosen) -> Iterator[list[AskingNode]]:
    found = [AskingNode(chosen.pub, chosen.replay, f"node-{n}") for n in (1, 2, 3)]
    yield found
    for node in found:
        node.close()


def asked(nodes: list[AskingNode], question: str, *args: Any, awake: list[AskingNode] | None = None, **kwargs: Any):
    """What the first node is told."""
    found: list[Answers] = []
    defer.ensureDeferred(nodes[0].deployment.ask(question, *args, **kwargs)).addCallback(found.append)
    run(awake or nodes, lambda: found)
    return found[0]


def known(nodes: list[AskingNode]) -> None:
    run(nodes, lambda: all(node.is_attached for node in nodes))
    run(nodes, lambda: all(len(node.attending.nodes.table) == 3 for node in nodes))


def test_each_node_answers_and_a_frozen_one_is_missing(chosen, nodes, caplog):
    with serving(chosen):
        known(nodes)
        names = ["node-1", "node-2", "node-3"]
        assert asked(nodes, "who", {"a": 1}) == Answers({name: [name, {"a": 1}] for name in names})
        assert asked(nodes, "who", node="node-2") == Answers({"node-2": ["node-2", None]})
        assert asked(nodes, "who", node="node-1") == Answers({"node-1": ["node-1", None]})
        assert asked(nodes, "who", node="node-9") == Answers({}, ["node-9"])
        began = time.monotonic()
        frozen = asked(nodes, "who", awake=nodes[:2])
        assert (set(frozen.by_node), frozen.missing) == ({"node-1", "node-2"}, ["node-3"])
        assert time.monotonic() - began >= 2.0
        assert asked(nodes, "who", node="node-3").missing == []


def test_a_node_that_has_no_answer_is_missing(chosen, nodes):
    with serving(chosen):
        known(nodes)
        nodes[0].deployment.answer("size", lambda params: "")
        nodes[1].deployment.answer("size", lambda params: "x" * MAX_CONTENT_BYTES)
        later: defer.Deferred[str] = defer.Deferred()
        nodes[2].deployment.answer("size", lambda params: later)
        nodes[2].reactor.callLater(0.1, later.callback, "late")
        assert asked(nodes, "size") == Answers({"node-1": "", "node-3": "late"}, ["node-2"])
        with pytest.raises(ValueError, match="the params have"):
            defer.ensureDeferred(nodes[0].deployment.ask("who", "x" * MAX_PARAMS_BYTES)).result.raiseException()


def test_a_publish_server_that_is_away_makes_the_others_missing(chosen, nodes):
    with serving(chosen):
        known(nodes)
    answers = asked(nodes, "who", wait_s=0.2)
    assert answers == Answers({"node-1": ["node-1", None]}, ["node-2", "node-3"])


def test_without_a_relay_a_node_asks_itself():
    deployment = Deployment()
    deployment.answer("who", lambda params: params)
    assert defer.ensureDeferred(deployment.ask("who", 1)).result == Answers({"node": 1})
    assert defer.ensureDeferred(deployment.ask("who", node="node-2")).result == Answers({}, ["node-2"])
